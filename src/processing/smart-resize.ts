/** Which size an image gets before it is cut into patches: Qwen-VL's `smart_resize`. */
import { LorikeetError } from '../protocol/errors.ts';

export interface SmartResizeOptions {
  /** Both sides become multiples of this: patch_size × merge_size. */
  factor: number;
  /** Bounds of height × width after resizing. */
  minPixels: number;
  maxPixels: number;
}

export interface ImageSize {
  height: number;
  width: number;
}

/** Thinner images are refused, as transformers does. */
const MAX_ASPECT_RATIO = 200;

/** Rounds halves to the even neighbour, as Python's `round` does. */
export function roundHalfToEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  if (rest !== 0.5) return Math.round(x);
  return floor % 2 === 0 ? floor : floor + 1;
}

/**
 * Nearest size whose sides are multiples of `factor` and whose area lies within the bounds, keeping the aspect ratio
 * as well as that allows. Formula: `smart_resize` of transformers' Qwen2-VL image processor.
 * @throws LorikeetError "image" when one side is more than 200 times the other or a side is not a positive integer
 */
export function smartResize(height: number, width: number, { factor, minPixels, maxPixels }: SmartResizeOptions): ImageSize {
  if (!(Number.isSafeInteger(height) && Number.isSafeInteger(width) && height > 0 && width > 0)) {
    throw new LorikeetError('image', `The image has no usable size: ${width} × ${height} pixels.`, 'Replace the image file.');
  }
  if (Math.max(height, width) / Math.min(height, width) > MAX_ASPECT_RATIO) {
    throw new LorikeetError(
      'image',
      `The image is ${width} × ${height} pixels; one side may be at most ${MAX_ASPECT_RATIO} times the other.`,
      'Crop the image, or leave the sample out.',
    );
  }
  const resized = { height: roundHalfToEven(height / factor) * factor, width: roundHalfToEven(width / factor) * factor };
  const area = resized.height * resized.width;
  if (area > maxPixels) {
    const beta = Math.sqrt((height * width) / maxPixels);
    resized.height = Math.max(factor, Math.floor(height / beta / factor) * factor);
    resized.width = Math.max(factor, Math.floor(width / beta / factor) * factor);
  } else if (area < minPixels) {
    const beta = Math.sqrt(minPixels / (height * width));
    resized.height = Math.ceil((height * beta) / factor) * factor;
    resized.width = Math.ceil((width * beta) / factor) * factor;
  }
  return resized;
}

/**
 * Size of a clip's frames where the bounds count the pixels of all of them: `smart_resize` of transformers' Qwen3-VL video
 * processor. Frames count in whole temporal patches where the area is compared, and singly where it is corrected.
 * @param frames looked at
 * @throws LorikeetError "video" for frames smaller than `factor` on a side or more than 200 times longer than wide
 */
export function smartResizeClip(frames: number, height: number, width: number, temporalPatchSize: number, { factor, minPixels, maxPixels }: SmartResizeOptions): ImageSize {
  if (height < factor || width < factor) {
    throw new LorikeetError('video', `Its frames have ${width} × ${height} pixels; this model needs ${factor} on each side.`, 'Enlarge the clip, or leave the sample out.');
  }
  if (Math.max(height, width) / Math.min(height, width) > MAX_ASPECT_RATIO) {
    throw new LorikeetError('video', `Its frames have ${width} × ${height} pixels; one side may be at most ${MAX_ASPECT_RATIO} times the other.`, 'Crop the clip, or leave the sample out.');
  }
  const resized = { height: roundHalfToEven(height / factor) * factor, width: roundHalfToEven(width / factor) * factor };
  const volume = Math.ceil(frames / temporalPatchSize) * temporalPatchSize * resized.height * resized.width;
  if (volume > maxPixels) {
    const beta = Math.sqrt((frames * height * width) / maxPixels);
    resized.height = Math.max(factor, Math.floor(height / beta / factor) * factor);
    resized.width = Math.max(factor, Math.floor(width / beta / factor) * factor);
  } else if (volume < minPixels) {
    const beta = Math.sqrt(minPixels / (frames * height * width));
    resized.height = Math.ceil((height * beta) / factor) * factor;
    resized.width = Math.ceil((width * beta) / factor) * factor;
  }
  return resized;
}

/**
 * Size after limiting the longest edge (never enlarges; fractions are dropped, as the original scripts' `int()` does).
 * @param maxEdge pixels; 0 = no limit
 */
export function shrinkToLongestEdge(height: number, width: number, maxEdge: number): ImageSize {
  const longest = Math.max(height, width);
  if (maxEdge === 0 || longest <= maxEdge) return { height, width };
  const ratio = maxEdge / longest;
  return { height: Math.max(1, Math.trunc(height * ratio)), width: Math.max(1, Math.trunc(width * ratio)) };
}
