/** A clip, opened: its length and size are known, its frames are decoded when asked for. */
import { LorikeetError } from '../protocol/errors.ts';
import type { ClipLength } from './frame-sampling.ts';
import type { RgbImage } from './resample.ts';
import type { ImageSize } from './smart-resize.ts';

export interface Clip {
  length: ClipLength;
  /** Of every frame, turned as it is shown. */
  size: ImageSize;
  /** Decodes frames by their place in presentation order; `indices` ascend. One frame is held at a time. */
  frames: (indices: readonly number[]) => AsyncGenerator<RgbImage, void, undefined>;
}

/** Longer clips are refused: an hour and a half at 30 frames per second. */
export const MAX_CLIP_FRAMES = 162_000;
const MAX_FPS = 1000;
const MIN_FPS = 0.001;

/** @throws LorikeetError "video" */
export function checkLength({ frames, fps }: ClipLength, file: string): void {
  if (frames === 0) throw new LorikeetError('video', `${file} has no frames.`, 'Replace the video.', { file });
  if (frames > MAX_CLIP_FRAMES) {
    throw new LorikeetError('video', `${file} has ${frames} frames; at most ${MAX_CLIP_FRAMES} are read.`, 'Cut the video into shorter ones.', { file });
  }
  if (!(fps >= MIN_FPS && fps <= MAX_FPS)) {
    throw new LorikeetError('video', `${file} says it has ${fps} frames per second; ${MIN_FPS} to ${MAX_FPS} can be used.`, 'Correct the frame rate, or save the video again.', { file, field: 'fps' });
  }
}
