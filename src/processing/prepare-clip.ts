/** Clip -> the frames looked at and the size they will have, and, when asked, their resized pixels. */
import { invariant, LorikeetError } from '../protocol/errors.ts';
import type { Media } from '../protocol/media.ts';
import type { PathFile } from '../protocol/messages.ts';
import type { Clip } from './clip.ts';
import { openFrames } from './frame-folder.ts';
import { patchTimes, sampleFrames, secondsPerPatch } from './frame-sampling.ts';
import type { PreparedMedia } from './prepare-image.ts';
import { resizeBicubic } from './resample.ts';
import { smartResize, smartResizeClip, type ImageSize } from './smart-resize.ts';
import type { VideoConfig } from './video-config.ts';
import { openVideo } from './video-file.ts';
import type { ResizedImage } from './types.ts';

/** A clip of known length, with what of it will be looked at. */
export interface PreparedClip extends PreparedMedia {
  indices: readonly number[];
  size: ImageSize;
}

/**
 * Plans one clip. Frames are decoded one after the other in `load` and resized as pictures are; only resized ones are kept.
 * @throws LorikeetError "video" (also from `load`), naming the file
 */
export async function prepareClip(medium: Exclude<Media<PathFile>, { kind: 'image' }>, config: VideoConfig): Promise<PreparedClip> {
  if (medium.kind === 'video') return planClip(await openVideo(medium.file.file, medium.file.path), medium.file.path, config);
  const name = medium.files.length === 0 ? 'A frame folder' : (medium.files[0].path.match(/^(.*)\/[^/]*$/)?.[1] ?? medium.files[0].path);
  // Without a rate, the frames were picked at the rate at which the model looks at clips.
  return planClip(await openFrames(medium.files, medium.fps ?? config.fps, name), name, config);
}

/** What of an open clip will be looked at. */
export function planClip(clip: Clip, file: string, config: VideoConfig): PreparedClip {
  const { temporalPatchSize, patchSize } = config;
  const indices = sampleFrames(config.style, clip.length, config, file);
  const size = sizeOf(clip.size, indices.length, config, file);
  return {
    indices,
    size,
    vision: {
      kind: 'video',
      grid: [Math.ceil(indices.length / temporalPatchSize), size.height / patchSize, size.width / patchSize],
      secondsPerGrid: secondsPerPatch(indices, clip.length, temporalPatchSize),
    },
    timestamps: patchTimes(indices, clip.length.fps, temporalPatchSize),
    async load() {
      const resized: ResizedImage[] = [];
      for await (const frame of clip.frames(indices)) resized.push(resizeBicubic(frame, size.height, size.width));
      invariant(resized.length === indices.length, `${file}: ${resized.length} frames decoded of ${indices.length}`);
      return resized;
    },
  };
}

function sizeOf({ height, width }: ImageSize, frames: number, config: VideoConfig, file: string): ImageSize {
  const bounds = { factor: config.patchSize * config.mergeSize, minPixels: config.minPixels, maxPixels: config.maxPixels };
  try {
    return config.style === 'one-run' ? smartResize(height, width, bounds) : smartResizeClip(frames, height, width, config.temporalPatchSize, bounds);
  } catch (error) {
    if (error instanceof LorikeetError) throw new LorikeetError('video', `${file}: ${error.message}`, error.advice, { file }, { cause: error });
    throw error;
  }
}
