/** preprocessor_config.json of a Qwen-VL checkpoint. */
import * as v from 'valibot';
import { LorikeetError } from '../protocol/errors.ts';

const pixels = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(2 ** 40));
const bound = v.optional(v.nullable(pixels));
/** Pixels lie between 0 and 1 where these are applied. */
const triple = v.pipe(v.array(v.pipe(v.number(), v.minValue(-10), v.maxValue(10))), v.length(3));

const schema = v.object({
  size: v.optional(v.nullable(v.object({ shortest_edge: bound, longest_edge: bound, min_pixels: bound, max_pixels: bound }))),
  min_pixels: bound,
  max_pixels: bound,
  patch_size: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(256)),
  temporal_patch_size: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(16)), 2),
  merge_size: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(16)), 2),
  image_mean: triple,
  image_std: v.pipe(triple, v.check((std) => std.every((s) => s >= 1e-4), 'every value must be at least 0.0001')),
  do_resize: v.optional(v.nullable(v.literal(true))),
  do_normalize: v.optional(v.nullable(v.literal(true))),
  do_rescale: v.optional(v.nullable(v.literal(true))),
  rescale_factor: v.optional(v.nullable(v.pipe(v.number(), v.check((f) => Math.abs(f * 255 - 1) < 1e-6, 'only 1/255 is supported')))),
});

/** How images become patches. Sizes in pixels; the bounds are areas (height × width). */
export interface PreprocessorConfig {
  minPixels: number;
  maxPixels: number;
  patchSize: number;
  temporalPatchSize: number;
  mergeSize: number;
  imageMean: [number, number, number];
  imageStd: [number, number, number];
}

/**
 * Reads the parsed JSON. `min_pixels`/`max_pixels` win over `size.shortest_edge`/`size.longest_edge`, as in transformers; some releases
 * kept the former two inside `size`.
 * @throws LorikeetError "file-corrupt" naming the field
 */
export function parsePreprocessorConfig(json: unknown, file = 'preprocessor_config.json'): PreprocessorConfig {
  const result = v.safeParse(schema, json);
  if (!result.success) {
    const issue = result.issues[0];
    const field = v.getDotPath(issue) ?? '';
    throw new LorikeetError('file-corrupt', `${file}, ${field || 'top level'}: ${issue.message}`, 'Take the file from the model’s original folder.', { file, field });
  }
  const config = result.output;
  const minPixels = config.min_pixels ?? config.size?.shortest_edge ?? config.size?.min_pixels;
  const maxPixels = config.max_pixels ?? config.size?.longest_edge ?? config.size?.max_pixels;
  if (!minPixels || !maxPixels || minPixels > maxPixels) {
    throw new LorikeetError(
      'file-corrupt',
      `${file}, size: expected shortest_edge ≤ longest_edge (pixels per image), got ${minPixels ?? 'nothing'} and ${maxPixels ?? 'nothing'}.`,
      'Take the file from the model’s original folder.',
      { file, field: 'size' },
    );
  }
  return {
    minPixels,
    maxPixels,
    patchSize: config.patch_size,
    temporalPatchSize: config.temporal_patch_size,
    mergeSize: config.merge_size,
    imageMean: config.image_mean as [number, number, number],
    imageStd: config.image_std as [number, number, number],
  };
}
