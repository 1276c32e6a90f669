/** A folder of pictures read as one clip. */
import { LorikeetError } from '../protocol/errors.ts';
import type { FrameFolder } from './media-index.ts';
import { baseName, stemOf } from './paths.ts';

/** More frames than any clip here is sampled from. */
const MAX_FRAMES = 4096;

/**
 * Checks that no frame is missing: numbers at the end of the names must be as far apart everywhere, as ffmpeg and video
 * tools write them. Names without numbers are taken as they are sorted.
 * @throws LorikeetError "image", field "video", naming the gap, or "file-too-large"
 */
export function checkFrameNumbers({ path, frames }: FrameFolder): void {
  if (frames.length > MAX_FRAMES) {
    throw new LorikeetError('file-too-large', `The frame folder ${path} holds ${frames.length} pictures, at most ${MAX_FRAMES} are read.`, 'Keep fewer frames, or give the video file.', { field: 'video' });
  }
  const numbers = frames.map((frame) => /(\d+)$/.exec(stemOf(baseName(frame.path)))?.[1]);
  if (frames.length < 3 || numbers.some((number) => number === undefined)) return;
  const steps = numbers.slice(1).map((number, i) => Number(number) - Number(numbers[i]));
  const usual = steps.reduce((least, step) => Math.min(least, step), Infinity);
  const gap = steps.findIndex((step) => step !== usual);
  if (gap < 0) return;
  const [before, after] = [frames[gap], frames[gap + 1]].map((frame) => baseName(frame.path));
  throw new LorikeetError('image', `The frame folder ${path} has a gap: ${before} is followed by ${after}.`, 'Add the frames that are missing, or number them without gaps.', { field: 'video' });
}
