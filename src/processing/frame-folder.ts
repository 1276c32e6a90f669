/** Clips that were taken apart: pictures of one size in order. */
import { LorikeetError } from '../protocol/errors.ts';
import type { PathFile } from '../protocol/messages.ts';
import { checkLength, type Clip } from './clip.ts';
import { decodeImage, readImageSize } from './decode-image.ts';
import type { RgbImage } from './resample.ts';

/** Number at the end of a frame's name, before the extension. */
const FRAME_NUMBER = /(\d+)(?=\.[^./]*$|$)/;

/**
 * The files of a frame folder in the order of their numbers ("frame_2" before "frame_10").
 * @param folder what errors call it
 * @throws LorikeetError "video" for files without a number, numbers given twice and missing ones, which it names
 */
export function orderFrames(files: readonly PathFile[], folder: string): PathFile[] {
  const numbered = files.map((file) => ({ file, match: FRAME_NUMBER.exec(file.path) }));
  const without = numbered.find(({ match }) => match === null);
  if (without) throw new LorikeetError('video', `${without.file.path} in the frame folder ${folder} has no number at the end of its name.`, 'Name frames like frame_000.png, or remove the file.', { file: without.file.path });
  const ordered = numbered.sort((a, b) => Number(a.match![1]) - Number(b.match![1]));
  ordered.slice(1).forEach(({ file, match }, i) => {
    const before = ordered[i];
    const expected = Number(before.match![1]) + 1;
    const found = Number(match![1]);
    if (found === expected) return;
    if (found < expected) throw new LorikeetError('video', `The frame folder ${folder} has frame ${found} twice: ${before.file.path} and ${file.path}.`, 'Keep one of them.', { file: file.path });
    const { path } = before.file;
    const name = path.replace(FRAME_NUMBER, String(expected).padStart(before.match![1].length, '0'));
    throw new LorikeetError('video', `The frame folder ${folder} lacks ${name}: ${path} is followed by ${file.path}.`, 'Add the missing frames, or number them without gaps.', { file: name });
  });
  return ordered.map(({ file }) => file);
}

/**
 * Opens frames as a clip; reads their headers only.
 * @param fps of the clip that the frames come from
 * @throws LorikeetError "video" for frames of different sizes and for fps out of range; "image", "file-missing"
 */
export async function openFrames(files: readonly PathFile[], fps: number, name: string): Promise<Clip> {
  const length = { frames: files.length, fps };
  checkLength(length, name);
  const [first, ...others] = files;
  const size = await readImageSize(first.file, first.path);
  const check = ({ width, height }: { width: number; height: number }, path: string) => {
    if (width === size.width && height === size.height) return;
    throw new LorikeetError(
      'video',
      `The frames of ${name} have different sizes: ${first.path} has ${size.width} × ${size.height} pixels, ${path} has ${width} × ${height}.`,
      'Save all frames in one size.',
      { file: path },
    );
  };
  for (const { path, file } of others) check(await readImageSize(file, path), path);
  async function* frames(indices: readonly number[]): AsyncGenerator<RgbImage, void, undefined> {
    for (const index of indices) {
      const { path, file } = files[index];
      const image = await decodeImage(file, path);
      check(image, path);
      yield image;
    }
  }
  return { length, size, frames };
}
