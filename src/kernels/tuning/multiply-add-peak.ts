/** The most multiply-adds in float32 that the device does: chains on registers, without memory. */
import type { Gpu } from '../../gpu/gpu.ts';
import { defineKernel } from '../../gpu/kernel.ts';
import type { Stopwatch } from '../../gpu/stopwatch.ts';

const THREADS = 256;
/** Independent chains of fours per thread hide the latency of one multiply-add. */
const CHAINS = 4;
const FIRST_STEPS = 256;
/** Longer, and the GPU's clock is up whatever it did before. */
const LEAST_MS = 30;

const MULTIPLY_ADDS = defineKernel({
  name: 'multiply-adds on registers',
  bindings: { result: 'write array<f32>' },
  params: { seed: 'u32', steps: 'u32' },
  wgsl: () => `
@compute @workgroup_size(${THREADS})
fn main(@builtin(global_invocation_id) id: vec3u) {
  let x = vec4f(f32(id.x + params.seed) * 1e-6, 0.1, 0.2, 0.3);
  var a = array<vec4f, ${CHAINS}>(x, x + 0.1, x + 0.2, x + 0.3);
  for (var i = 0u; i < params.steps; i++) {
    ${Array.from({ length: CHAINS }, (_, c) => `a[${c}] = fma(a[${c}], vec4f(0.999), x);`).join('\n    ')}
  }
  // Every thread stores, or the work could be left out.
  let sum = ${Array.from({ length: CHAINS }, (_, c) => `a[${c}]`).join(' + ')};
  result[id.x] = sum.x + sum.y + sum.z + sum.w;
}`,
});

/** Floating-point operations per second; a multiply-add is two. */
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
  result.dispose();
  return (threads * steps * CHAINS * 4 * 2 * 1000) / ms;
}
