/** How a checkpoint looks at clips: video_preprocessor_config.json, and the settings that override it. */
import * as v from 'valibot';
import type { ClipStyle } from '../families/architecture.ts';
import { LorikeetError } from '../protocol/errors.ts';
import type { SamplingSettings } from './frame-sampling.ts';
import { parsePreprocessorConfig, type PreprocessorConfig } from './preprocessor-config.ts';

/** Frames per second where the file says nothing, as transformers' Qwen3-VL processor and qwen-vl-utils have it. */
const DEFAULT_FPS = 2;
const DEFAULT_MIN_FRAMES = 4;
const DEFAULT_MAX_FRAMES = 768;

const frameCount = v.optional(v.nullable(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(2 ** 20))));
const schema = v.object({
  fps: v.optional(v.nullable(v.pipe(v.number(), v.minValue(0.001), v.maxValue(1000)))),
  min_frames: frameCount,
  max_frames: frameCount,
});

/** Pixel bounds count as the family's ClipStyle says. */
export interface VideoConfig extends PreprocessorConfig, SamplingSettings {
  style: ClipStyle;
}

/** A run's own wishes; null = as the checkpoint says. */
export interface VideoOptions {
  fps: number | null;
  minFrames: number | null;
  maxFrames: number | null;
  maxPixels: number | null;
}

/**
 * @param json the parsed file; checkpoints without one of their own use their settings for pictures
 * @throws LorikeetError "file-corrupt" naming the field
 */
export function parseVideoConfig(json: unknown, style: ClipStyle, file: string): VideoConfig {
  const preprocessor = parsePreprocessorConfig(json, file);
  const result = v.safeParse(schema, json);
  const fault = (field: string, message: string) => new LorikeetError('file-corrupt', `${file}, ${field}: ${message}`, 'Take the file from the model’s original folder.', { file, field });
  if (!result.success) throw fault(v.getDotPath(result.issues[0]) ?? '', result.issues[0].message);
  const { fps, min_frames, max_frames } = result.output;
  const config = { ...preprocessor, style, fps: fps ?? DEFAULT_FPS, minFrames: min_frames ?? DEFAULT_MIN_FRAMES, maxFrames: max_frames ?? DEFAULT_MAX_FRAMES };
  if (config.minFrames > config.maxFrames) throw fault('min_frames', `${config.minFrames} is above max_frames, ${config.maxFrames}.`);
  return config;
}

/**
 * The checkpoint's settings with a run's own in their place.
 * @throws LorikeetError "config" when they contradict each other
 */
export function withOptions(config: VideoConfig, options: VideoOptions): VideoConfig {
  const minFrames = options.minFrames ?? Math.min(config.minFrames, options.maxFrames ?? config.maxFrames);
  const maxFrames = options.maxFrames ?? Math.max(config.maxFrames, minFrames);
  if (minFrames > maxFrames) {
    throw new LorikeetError('config', `video_min_frames is ${minFrames}, above video_max_frames, ${maxFrames}.`, 'Change one of them in the settings.', { field: 'video_min_frames' });
  }
  const maxPixels = options.maxPixels ?? config.maxPixels;
  return { ...config, fps: options.fps ?? config.fps, minFrames, maxFrames, maxPixels, minPixels: Math.min(config.minPixels, maxPixels) };
}
