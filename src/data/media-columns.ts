/** Columns of a record that list pictures and clips -> references in their order. */
import { fileKind } from './paths.ts';
import { areFrames, imageReference, isBlank, isPlainObject, type MediaReference, speedOf, videoReference } from './media-reference.ts';
import { fault } from './record-fault.ts';

/** What a record lists apart from its text. */
export interface ListedMedia {
  images: MediaReference[];
  videos: MediaReference[];
}

const IMAGE_COLUMNS = ['image', 'images', 'image_path', 'image_paths', 'image_file', 'img', 'img_path'] as const;
const VIDEO_COLUMNS = ['video', 'videos', 'video_path', 'video_paths', 'video_file'] as const;
/** Names that other things have too: they count where they hold the name of a picture or clip. */
const FILE_COLUMNS = ['file_name', 'filename', 'image_bytes'] as const;
const SPEED_COLUMNS = ['fps', 'video_fps'] as const;
const FOREIGN_COLUMNS = ['audio', 'audios', 'audio_path', 'audio_paths', 'speech', 'sound'] as const;
/** Names under which datasets give media that lie elsewhere. */
const ADDRESS_COLUMNS = ['image_url', 'image_urls', 'video_url', 'video_urls', 'pixel_values', 'image_bytes', 'image_base64'] as const;

/** Columns that may name the one picture of a row, as in Hugging Face's imagefolder. Beside a picture in parquet its file's name may stand, of a file that is not there. */
export const PICTURE_COLUMNS: readonly string[] = ['image', 'file_name', 'image_path', 'filename', 'path'];

/** Columns that `listedMedia` uses. */
export const MEDIA_COLUMNS: readonly string[] = [...IMAGE_COLUMNS, ...VIDEO_COLUMNS, ...SPEED_COLUMNS, ...FOREIGN_COLUMNS];

/**
 * All pictures and clips that a record lists. Nothing, null, "" and lists of them mean none.
 * @throws LorikeetError "dataset" naming the field: two columns of the same kind, audio, media that are no files
 */
export function listedMedia(record: Readonly<Record<string, unknown>>): ListedMedia {
  for (const name of FOREIGN_COLUMNS) {
    if (!isEmpty(record[name])) throw fault(`The sample has "${name}": sound cannot be trained on.`, 'Leave the sample out, or remove the column if the answer does not depend on it.', name);
  }
  for (const name of ADDRESS_COLUMNS) {
    // The reader of parquet has put the picture's name in the place of its bytes.
    if (name === 'image_bytes' && namesFile(record[name], 'image')) continue;
    if (!isEmpty(record[name])) throw fault(`The sample has "${name}", which is not read.`, 'Save the picture or clip as a file, drop it too and give its path in "images" or "videos".', name);
  }
  const images = columnOf(record, IMAGE_COLUMNS, 'image');
  const videos = columnOf(record, VIDEO_COLUMNS, 'video');
  return { images: images === null ? [] : imagesOf(record, images), videos: videos === null ? [] : videosOf(record, videos) };
}

/** The pictures of one column. */
export function imagesOf(record: Readonly<Record<string, unknown>>, name: string): MediaReference[] {
  return listOf(record[name]).map(([value, field]) => imageReference(value, `${name}${field}`));
}

/** The one column that is not empty, null if none is. */
function columnOf(record: Readonly<Record<string, unknown>>, names: readonly string[], kind: 'image' | 'video'): string | null {
  const files = FILE_COLUMNS.filter((name) => namesFile(record[name], kind));
  const given = names.filter((name) => Object.hasOwn(record, name) && !isEmpty(record[name]));
  if (given.length > 1) throw fault(`The sample has both "${given[0]}" and "${given[1]}".`, 'Keep one of them.', given[1]);
  return given[0] ?? files[0] ?? null;
}

function videosOf(record: Readonly<Record<string, unknown>>, name: string): MediaReference[] {
  const value = record[name];
  const entries: [unknown, string][] = Array.isArray(value) && areFrames(value) ? [[value, '']] : listOf(value);
  const column = SPEED_COLUMNS.find((key) => !isEmpty(record[key]));
  const speeds = column === undefined ? [] : [record[column]].flat();
  if (speeds.length > 1 && speeds.length !== entries.length) {
    throw fault(`"${column}" gives ${speeds.length} speeds for ${entries.length} clips.`, 'Give one number, or one for every clip.', column);
  }
  const checked = speeds.map((speed) => (isBlank(speed) ? undefined : speedOf(speed, column!)));
  return entries.map(([entry, field], i) => videoReference(entry, `${name}${field}`, checked.length === 1 ? checked[0] : checked[i]));
}

/** Entries of a list, or the one value, with the end of their field's name; blank ones are left out. */
function listOf(value: unknown): [unknown, string][] {
  const entries: [unknown, string][] = Array.isArray(value) ? value.map((entry, i) => [entry, `.${i}`]) : [[value, '']];
  return entries.filter(([entry]) => !isEmpty(entry));
}

function namesFile(value: unknown, kind: 'image' | 'video'): boolean {
  return typeof value === 'string' && fileKind(value) === kind;
}

function isEmpty(value: unknown): boolean {
  if (Array.isArray(value)) return value.every(isBlank);
  return isBlank(value) || (isPlainObject(value) && Object.values(value).every(isBlank));
}
