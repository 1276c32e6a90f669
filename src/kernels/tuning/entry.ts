/** What takes part in the tuning: a class of requests, and the contest for it. */
import type { Gpu } from '../../gpu/gpu.ts';
import type { Contest } from '../../gpu/race.ts';
import type { Variant, VariantTable } from '../../gpu/variants.ts';

/** Largest difference between forms in float32, relative to the largest result; they add in different orders. */
export const F32_TOLERANCE = 1e-5;
/** The same for tiles in f16, whose products are rounded to 11 bits. */
export const F16_TOLERANCE = 5e-3;

export interface TuningEntry {
  /** Of its class, as `gpu.choices` has it. */
  readonly key: string;
  /** Arithmetic of one timed run; null where the time goes into reading memory. */
  readonly flops: number | null;
  /** Puts the data on the GPU. */
  open(): Contest & { close(): void };
}

/** Variants that take part by themselves: a rasteriser tries what is reserved to GPUs, but no GPU what only a CPU likes. */
export function candidates<Request, V extends Variant<Request>>(gpu: Gpu, { variants }: VariantTable<Request, V>): readonly V[] {
  return variants.filter((variant) => gpu.profile === 'rasterizer' || variant.profile !== 'rasterizer');
}

const SCOPES: readonly GPUErrorFilter[] = ['validation', 'internal', 'out-of-memory'];

/** What `compute` gives, or null when the device refuses any of it: a variant that does not compile here must not spoil what others compute. */
export async function unlessRefused<T>(gpu: Gpu, compute: () => Promise<T>): Promise<T | null> {
  gpu.submit();
  for (const scope of SCOPES) gpu.device.pushErrorScope(scope);
  // All is recorded and sent before the first wait, so that the scopes hold nothing of others.
  const [result, ...errors] = await Promise.all([compute(), ...SCOPES.map(() => gpu.device.popErrorScope())]);
  return errors.every((error) => error === null) ? result : null;
}

/** Fixed values without a pattern that tiles could hide. */
export function wave(length: number, phase: number): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length }, (_, i) => Math.sin(i * 1.7 + phase) * Math.cos(i * 0.31 + 2 * phase));
}
