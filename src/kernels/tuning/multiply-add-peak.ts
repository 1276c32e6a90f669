/** The most multiply-adds in float32 that the device does: chains on registers, without memory. */
import type { Gpu } from '../../gpu/gpu.ts';
import { defineKernel } from '../../gpu/kernel.ts';
import type { Stopwatch } from '../../gpu/stopwatch.ts';
import { invariant } from '../../protocol/errors.ts';

const THREADS = 256;
/** Independent chains of fours per thread hide the latency of one multiply-add. */
const CHAINS = 4;
/** Steps of each chain written out: a loop of few steps costs as much beside its body, and an H200 seemed to reach 27 of its 60 TFLOP/s. */
const UNROLLED = 16;
const FIRST_STEPS = 16;
/** Longer, and the GPU's clock is up whatever it did before. */
const LEAST_MS = 30;

const chains = (of: (chain: number) => string, separator = ' '): string => Array.from({ length: CHAINS }, (_, c) => of(c)).join(separator);

const MULTIPLY_ADDS = defineKernel({
  name: 'multiply-adds on registers',
  bindings: { result: 'write array<f32>' },
  params: { seed: 'u32', steps: 'u32' },
  wgsl: () => `
@compute @workgroup_size(${THREADS})
fn main(@builtin(global_invocation_id) id: vec3u) {
  let x = vec4f(f32(id.x + params.seed) * 1e-7, 0.1, 0.2, 0.3);
  ${chains((c) => `var a${c} = x + ${c}.0;`)}
  for (var i = 0u; i < params.steps; i++) {
    ${Array.from({ length: UNROLLED }, () => chains((c) => `a${c} = fma(a${c}, x, x);`)).join('\n    ')}
  }
  // Every thread stores, or the work could be left out.
  let sum = ${chains((c) => `a${c}`, ' + ')};
  result[id.x] = sum.x + sum.y + sum.z + sum.w;
}`,
});

/**
 * Floating-point operations per second; a multiply-add is two.
 * @throws Error "Invariant violation" when the device computed what is no number
 */
export async function multiplyAddPeak(gpu: Gpu, stopwatch: Stopwatch): Promise<number> {
  const threads = gpu.shape.probe.rows * 512;
  const result = gpu.empty([threads]);
  let steps = FIRST_STEPS;
  const time = () => stopwatch.time(() => gpu.run(MULTIPLY_ADDS, { constants: {}, bindings: { result }, params: { seed: 1, steps }, groups: [threads / THREADS] }), Infinity);
  await time();
  let ms = await time();
  while (ms < LEAST_MS) {
    steps *= Math.min(16, Math.ceil(LEAST_MS / Math.max(ms, 0.1)) + 1);
    ms = await time();
  }
  const values = await gpu.readFloats(result);
  result.dispose();
  invariant(values.every((value) => Number.isFinite(value) && value !== 0), 'multiply-adds gave what is no number');
  return (threads * steps * UNROLLED * CHAINS * 4 * 2 * 1000) / ms;
}
