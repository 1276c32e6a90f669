/** Resized images -> rows of pixel values, one per patch, in the order the vision tower expects. */
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
 * Writes the patches of one image into `out` from `offset` on.
 *
 * Rows follow merge blocks (block row, block column, row and column inside the block); a row is channel, frame, y, x.
 * Stills have one frame, repeated `temporalPatchSize` times.
 * @returns number of floats written: patches × (3 · temporal_patch_size · patch_size²)
 */
export function patchifyInto(image: ResizedImage, settings: PatchSettings, out: Float32Array, offset = 0): number {
  const { patchSize: size, temporalPatchSize: frames, mergeSize: merge } = settings;
  const { pixels, height, width } = image;
  const blockSize = size * merge;
  invariant(height % blockSize === 0 && width % blockSize === 0, `patchify: ${width} × ${height} is not made of blocks of ${blockSize}`);
  invariant(pixels.length === height * width * 3, 'patchify: pixel count disagrees with the size');
  const table = levelTable(settings);
  const plane = size * size;
  let at = offset;
  for (let blockY = 0; blockY < height; blockY += blockSize) {
    for (let blockX = 0; blockX < width; blockX += blockSize) {
      for (let inner = 0; inner < merge * merge; inner++) {
        const top = blockY + Math.floor(inner / merge) * size;
        const left = blockX + (inner % merge) * size;
        for (let c = 0; c < 3; c++) {
          const levels = c * 256;
          const first = at;
          for (let y = 0; y < size; y++) {
            let p = ((top + y) * width + left) * 3 + c;
            for (let x = 0; x < size; x++) {
              out[at++] = table[levels + pixels[p]];
              p += 3;
            }
          }
          for (let f = 1; f < frames; f++) {
            out.copyWithin(at, first, first + plane);
            at += plane;
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
  const pixelValues = new Float32Array(grid[1] * grid[2] * patchLength(settings));
  patchifyInto(image, settings, pixelValues);
  return { pixelValues, grid };
}
