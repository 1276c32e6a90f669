/** Pictures and clips as a record names them: by path, with what it says of a clip's speed. */
import { fileKind } from './paths.ts';
import { fault, shown } from './record-fault.ts';

export type MediaReference =
  | { kind: 'image'; path: string }
  /** A file, or a folder of frames. `fps`: frames per second to look at, or of the folder's frames. */
  | { kind: 'video'; path: string; fps?: number }
  /** A clip given frame by frame. `fps`: how fast the frames follow each other. */
  | { kind: 'frames'; paths: string[]; fps?: number };

/** Longer lists of frames are no clips to train on; the sampling takes far fewer. */
const MAX_FRAMES = 4096;
/** Names that a list may give to the file itself: {path}, {url}, and what parts call it. */
const FILE_KEYS = ['path', 'url', 'image', 'video', 'image_url', 'video_url', 'value'] as const;
/** They change what is seen of a clip: training without them would teach something else. */
const CUTTING_KEYS = ['video_start', 'video_end', 'start', 'end', 'start_time', 'end_time', 'nframes'] as const;

/** True for what stands for "no image": nothing, null, and an empty text. */
export function isBlank(value: unknown): boolean {
  return value === undefined || value === null || (typeof value === 'string' && value.trim() === '');
}

/** True for anything but a missing value and null, which tables write for it. */
export function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null;
}

/**
 * The picture that a value names, as text or as {path}, {url}, {path, bytes}.
 * @throws LorikeetError "dataset" naming the field
 */
export function imageReference(value: unknown, field: string): MediaReference {
  return { kind: 'image', path: pathIn(value, field) };
}

/**
 * The clip that a value names: a path, a list of frames, or an object that holds one of them with its `fps`.
 * @param fps where it stands beside the value
 * @throws LorikeetError "dataset" naming the field: no path, fps that is not above 0, a part of a clip
 */
export function videoReference(value: unknown, field: string, fps?: unknown): MediaReference {
  let file = value;
  let speed = fps;
  if (isPlainObject(value)) {
    refuseCut(value, field);
    const key = FILE_KEYS.find((name) => !isBlank(value[name]));
    if (key === undefined) throw withoutPath(value, field);
    file = value[key];
    speed = value.sample_fps ?? value.fps ?? fps;
    if (isPlainObject(file)) return videoReference(file, `${field}.${key}`, speed);
  }
  const withSpeed = isBlank(speed) ? {} : { fps: speedOf(speed, `${field}.fps`) };
  if (!Array.isArray(file)) return { kind: 'video', path: pathIn(file, field), ...withSpeed };
  if (file.length === 0) throw fault('A clip has no frames.', 'List its frames, or give the path of a video file.', field);
  if (file.length > MAX_FRAMES) throw fault(`A clip lists ${file.length} frames, at most ${MAX_FRAMES} are read.`, 'Give a video file, or fewer frames.', field);
  return { kind: 'frames', paths: file.map((frame, i) => pathIn(frame, `${field}.${i}`)), ...withSpeed };
}

/** @throws LorikeetError "dataset" for what would show only a part of the clip, or other frames of it */
export function refuseCut(value: Record<string, unknown>, field: string): void {
  const cut = CUTTING_KEYS.find((name) => !isBlank(value[name]));
  if (cut !== undefined) throw fault(`"${cut}" of a clip is not supported: the whole clip would be shown instead.`, 'Cut the video file, or give its frames as a list.', `${field}.${cut}`);
}

/** Frames per second. @throws LorikeetError "dataset" unless it is above 0 */
export function speedOf(value: unknown, field: string): number {
  if (typeof value === 'number' && Number.isFinite(value) && value > 0) return value;
  throw fault(`The speed of a clip is ${shown(JSON.stringify(value) ?? 'nothing', 40)}.`, 'Give frames per second as a number above 0, or leave it out.', field);
}

/** Whether a list names the frames of one clip rather than several clips: all of them are pictures. */
export function areFrames(values: readonly unknown[]): boolean {
  return values.length > 0 && values.every((value) => typeof value === 'string' && fileKind(value) === 'image');
}

/** Paths of the files that a reference names. */
export function pathsOf(reference: MediaReference): readonly string[] {
  return reference.kind === 'frames' ? reference.paths : [reference.path];
}

export function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function pathIn(value: unknown, field: string): string {
  if (typeof value === 'string' && value.trim() !== '') return value.trim();
  if (isPlainObject(value)) {
    const key = FILE_KEYS.find((name) => !isBlank(value[name]));
    if (key !== undefined) return pathIn(value[key], `${field}.${key}`);
    throw withoutPath(value, field);
  }
  throw fault(`Field ${field}: expected the path of a file but received ${Array.isArray(value) ? 'a list' : (JSON.stringify(value) ?? 'nothing').slice(0, 40)}.`, 'Give the file’s path as text.', field);
}

function withoutPath(value: Record<string, unknown>, field: string) {
  const advice = isBlank(value.bytes) ? 'Give it as {"path": …}.' : 'Save its bytes as a file, drop it too and give its path.';
  return fault(`Field ${field} names no file${isBlank(value.bytes) ? '' : ', it holds the bytes themselves'}.`, advice, field);
}
