/** Which frames of a clip a model looks at, and when they are: `sample_frames` of transformers 5.12's video processors. */
import type { ClipStyle } from '../families/architecture.ts';
import { LorikeetError } from '../protocol/errors.ts';
import { roundHalfToEven } from './smart-resize.ts';

/** How many frames a clip may and must give. */
export interface SamplingSettings {
  /** Frames looked at per second of the clip. */
  fps: number;
  minFrames: number;
  maxFrames: number;
  /** Frames that make one temporal patch. */
  temporalPatchSize: number;
}

/** Length of a clip as its container or folder says. */
export interface ClipLength {
  frames: number;
  /** Frames per second, the mean over the clip. */
  fps: number;
}

/**
 * Indices of the frames looked at, ascending, in presentation order.
 *
 * "one-run": as many whole temporal patches as fps asks for, evenly spaced from the first frame on. "time-stamped":
 * evenly spaced from the first frame to the last, an odd number allowed.
 * @throws LorikeetError "video" when the clip has fewer frames than one temporal patch of a family that takes whole ones only
 */
export function sampleFrames(style: ClipStyle, clip: ClipLength, settings: SamplingSettings, file: string): number[] {
  const { frames, fps } = clip;
  const { minFrames, maxFrames, temporalPatchSize: group } = settings;
  const wanted = (frames / fps) * settings.fps;
  if (style === 'time-stamped') {
    const count = Math.min(Math.max(Math.trunc(wanted), minFrames), maxFrames, frames);
    const step = (frames - 1) / (count - 1);
    return Array.from({ length: count }, (_, i) => (count === 1 ? 0 : i === count - 1 ? frames - 1 : roundHalfToEven(i * step)));
  }
  const most = Math.floor(Math.min(maxFrames, frames) / group) * group;
  const count = Math.floor(Math.min(Math.max(wanted, minFrames), most, frames) / group) * group;
  if (count === 0) {
    throw new LorikeetError('video', `${file} has ${frames} frame${frames === 1 ? '' : 's'}; this model looks at no fewer than ${group}.`, 'Use a longer clip, or give it as a picture.', { file });
  }
  // PyTorch's arange: float32 numbers, cut to whole ones.
  return Array.from({ length: count }, (_, i) => Math.trunc(Math.fround(i * (frames / count))));
}

/** Middle of each temporal patch in seconds: the mean of its first and last frame's times; the last frame is repeated to fill the last patch. */
export function patchTimes(indices: readonly number[], fps: number, temporalPatchSize: number): number[] {
  const times: number[] = [];
  for (let first = 0; first < indices.length; first += temporalPatchSize) {
    const last = Math.min(first + temporalPatchSize, indices.length) - 1;
    times.push((indices[first] / fps + indices[last] / fps) / 2);
  }
  return times;
}

/** Seconds that a temporal patch covers at the mean rate of the frames looked at. */
export function secondsPerPatch(indices: readonly number[], { frames, fps }: ClipLength, temporalPatchSize: number): number {
  return temporalPatchSize / ((indices.length / frames) * fps);
}

/** A time stamp as Qwen3-VL reads it, e.g. "<0.5 seconds>": one decimal, an exact tie to the even digit as Python's `%.1f` has it. */
export function timeStamp(seconds: number): string {
  // Only odd quarters lie exactly between two tenths.
  const isTie = Number.isInteger(seconds * 4) && !Number.isInteger(seconds * 2);
  return `<${(isTie ? roundHalfToEven(seconds * 10) / 10 : seconds).toFixed(1)} seconds>`;
}
