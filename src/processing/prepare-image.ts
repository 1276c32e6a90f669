/** Image file -> the size it will have, and, when asked, its resized pixels. */
import { stillOf, type VisionMedia } from '../families/media.ts';
import { LorikeetError } from '../protocol/errors.ts';
import { decodeImage, readImageSize } from './decode-image.ts';
import { gridOf } from './patchify.ts';
import type { PreprocessorConfig } from './preprocessor-config.ts';
import { resizeBicubic, resizeLanczos } from './resample.ts';
import { shrinkToLongestEdge, smartResize, type ImageSize } from './smart-resize.ts';
import type { ResizedImage } from './types.ts';

/** A picture or clip whose token count is known; its pixels are made on demand. */
export interface PreparedMedia {
  vision: VisionMedia;
  /** Seconds at which the temporal patches of a clip lie, one for each; empty for pictures. */
  timestamps: readonly number[];
  /** Resized frames; one for a picture. */
  load: () => Promise<readonly ResizedImage[]>;
}

/**
 * Plans one image: optional shrinking of the longest edge (Lanczos), then the model's own resizing (bicubic).
 * @param maxImageSize longest edge in pixels before the model's resizing; 0 = no limit
 * @throws LorikeetError "image" (also from `load`), naming the file
 */
export async function prepareImage(image: Blob, file: string, config: PreprocessorConfig, maxImageSize: number): Promise<PreparedMedia> {
  const stored = await readImageSize(image, file);
  const limited = shrinkToLongestEdge(stored.height, stored.width, maxImageSize);
  const target = targetSize(limited, config, file);
  return {
    vision: stillOf(gridOf(target.height, target.width, config.patchSize)),
    timestamps: [],
    async load() {
      const decoded = await decodeImage(image, file);
      if (decoded.height !== stored.height || decoded.width !== stored.width) {
        throw new LorikeetError(
          'image',
          `${file}: the header says ${stored.width} × ${stored.height} pixels, the decoded image has ${decoded.width} × ${decoded.height}.`,
          'Save the image again or replace it.',
          { file },
        );
      }
      return [resizeBicubic(resizeLanczos(decoded, limited.height, limited.width), target.height, target.width)];
    },
  };
}

/** Size at which the model sees a picture of a size; boxes that count its pixels count these. */
export function seenSize(stored: ImageSize, config: PreprocessorConfig, maxImageSize: number): ImageSize {
  return targetSize(shrinkToLongestEdge(stored.height, stored.width, maxImageSize), config, 'The image');
}

function targetSize({ height, width }: ImageSize, config: PreprocessorConfig, file: string): ImageSize {
  try {
    return smartResize(height, width, { factor: config.patchSize * config.mergeSize, minPixels: config.minPixels, maxPixels: config.maxPixels });
  } catch (error) {
    if (error instanceof LorikeetError) throw new LorikeetError(error.code, `${file}: ${error.message}`, error.advice, { file }, { cause: error });
    throw error;
  }
}
