/** Resized pictures and clips -> rows of pixel values, one per patch, in the order the vision tower expects. */
import { patchesOf } from '../families/media.ts';
import { invariant } from '../protocol/errors.ts';
import type { PreprocessorConfig } from './preprocessor-config.ts';
import type { GridTHW, ResizedImage } from './types.ts';

export type PatchSettings = Pick<PreprocessorConfig, 'patchSize' | 'temporalPatchSize' | 'mergeSize' | 'imageMean' | 'imageStd'>;

/** Patches of a still image of this (resized) size. */
export function gridOf(height: number, width: number, patchSize: number): GridTHW {
  return [1, height / patchSize, width / patchSize];
}

/** Numbers in one patch row: channels × frames × rows × columns. */
export function patchLength({ patchSize, temporalPatchSize }: Pick<PatchSettings, 'patchSize' | 'temporalPatchSize'>): number {
  return 3 * temporalPatchSize * patchSize * patchSize;
}

/** Normalised value of every 8-bit level, channel by channel: (level − 255·mean) / (255·std) in float32, 3 × 256. */
function levelTable({ imageMean, imageStd }: PatchSettings): Float32Array {
  const table = new Float32Array(3 * 256);
  for (let c = 0; c < 3; c++) {
    const mean = Math.fround(Math.fround(imageMean[c]) * 255);
    const std = Math.fround(Math.fround(imageStd[c]) * 255);
    for (let level = 0; level < 256; level++) table[c * 256 + level] = Math.fround(level - mean) / std;
  }
  return table;
}

/**
 * Writes the patches of one picture or clip into `out` from `offset` on.
 *
 * Rows follow time, then merge blocks (block row, block column, row and column inside the block); a row is channel,
 * frame, y, x. Where frames do not fill the last temporal patch, the last one is repeated; so is a picture's only one.
 * @param frames one for a picture
 * @returns number of floats written: patches × (3 · temporal_patch_size · patch_size²)
 */
export function patchifyInto(frames: readonly ResizedImage[], grid: GridTHW, settings: PatchSettings, out: Float32Array, offset = 0): number {
  const { patchSize: size, temporalPatchSize, mergeSize: merge } = settings;
  const [height, width] = [grid[1] * size, grid[2] * size];
  invariant(Math.ceil(frames.length / temporalPatchSize) === grid[0], `patchify: ${frames.length} frames for ${grid[0]} temporal patches`);
  for (const { pixels, ...frame } of frames) {
    invariant(frame.height === height && frame.width === width, `patchify: a frame of ${frame.width} × ${frame.height} where ${width} × ${height} was planned`);
    invariant(pixels.length === height * width * 3, 'patchify: pixel count disagrees with the size');
  }
  const table = levelTable(settings);
  const blockSize = size * merge;
  let at = offset;
  for (let first = 0; first < grid[0] * temporalPatchSize; first += temporalPatchSize) {
    const group = Array.from({ length: temporalPatchSize }, (_, f) => frames[Math.min(first + f, frames.length - 1)].pixels);
    for (let blockY = 0; blockY < height; blockY += blockSize) {
      for (let blockX = 0; blockX < width; blockX += blockSize) {
        for (let inner = 0; inner < merge * merge; inner++) {
          const top = blockY + Math.floor(inner / merge) * size;
          const left = blockX + (inner % merge) * size;
          for (let c = 0; c < 3; c++) {
            for (const pixels of group) {
              for (let y = 0; y < size; y++) {
                let p = ((top + y) * width + left) * 3 + c;
                for (let x = 0; x < size; x++, p += 3) out[at++] = table[c * 256 + pixels[p]];
              }
            }
          }
        }
      }
    }
  }
  return at - offset;
}

/** Patches of one image as a new array and its grid. */
export function patchify(image: ResizedImage, settings: PatchSettings): { pixelValues: Float32Array; grid: GridTHW } {
  const grid = gridOf(image.height, image.width, settings.patchSize);
  const pixelValues = new Float32Array(patchesOf(grid) * patchLength(settings));
  patchifyInto([image], grid, settings, pixelValues);
  return { pixelValues, grid };
}
