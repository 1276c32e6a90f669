/** What the device can do at best: multiply-adds on registers, and copying memory. */
import { defineKernel } from '../src/gpu/kernel.ts';
import type { BenchContext, BenchGroup } from './page.ts';
import { timeMedian } from './result.ts';

const THREADS = 256;
/** A measurement on a GPU lasts at least this long, so that its clock is up. */
const LEAST_MS = 30;
/** Independent vec4 chains per thread hide the latency of one multiply-add. */
const CHAINS = 4;
/** Steps of each chain written out: what a loop costs beside its body does not count then. */
const UNROLLED = 16;

const chains = (of: (chain: number) => string, separator = ' '): string => Array.from({ length: CHAINS }, (_, c) => of(c)).join(separator);

const FMA = defineKernel({
  name: 'multiply-adds',
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
  let sum = ${chains((c) => `a${c}`, ' + ')};
  result[id.x] = sum.x + sum.y + sum.z + sum.w;
}`,
});

async function measureFma({ gpu, report }: BenchContext): Promise<void> {
  const rasterizer = gpu.profile === 'rasterizer';
  const threads = rasterizer ? 4096 : 2 ** 20;
  const result = gpu.empty([threads]);
  let steps = rasterizer ? 32 : 256;
  const measure = () =>
    timeMedian(async () => {
      gpu.run(FMA, { constants: {}, bindings: { result }, params: { seed: 1, steps }, groups: [threads / THREADS] });
      await gpu.finish();
    });
  let ms = await measure();
  while (!rasterizer && ms < LEAST_MS) {
    steps *= Math.ceil(LEAST_MS / ms) + 1;
    ms = await measure();
  }
  const values = await gpu.readFloats(result);
  if (values.some((value) => !Number.isFinite(value) || value === 0)) throw new Error('peak: the kernel gave what is no number');
  result.dispose();
  const flops = threads * steps * UNROLLED * CHAINS * 4 * 2;
  report({ group: benchPeak.name, name: 'multiply-adds on registers', shape: `${threads} threads`, ms, value: flops / ms / 1e6, unit: 'GFLOP/s', ratio: null });
}

/** Reading and writing by a kernel: what the copy commands of a driver do is its own affair. */
const COPY = defineKernel({
  name: 'copy',
  bindings: { source: 'read array<vec4<f32>>', destination: 'write array<vec4<f32>>' },
  params: { count: 'u32' },
  wgsl: () => `
@compute @workgroup_size(${THREADS})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  for (var i = id.x; i < params.count; i += groups.x * ${THREADS}u) { destination[i] = source[i]; }
}`,
});

async function measureCopy({ gpu, report }: BenchContext): Promise<void> {
  const rasterizer = gpu.profile === 'rasterizer';
  const bytes = (rasterizer ? 32 : 512) * 2 ** 20;
  const source = gpu.createBuffer(bytes);
  const target = gpu.createBuffer(bytes);
  const count = bytes / 16;
  const times = rasterizer ? 1 : 50;
  const all = await timeMedian(async () => {
    for (let i = 0; i < times; i++) gpu.run(COPY, { bindings: { source, destination: target }, params: { count }, groups: [Math.min(8192, count / THREADS)] });
    await gpu.finish();
  });
  const ms = all / times;
  // Whatever the GPU refused, this throws.
  await gpu.readFloats(target, 4);
  gpu.destroyBuffer(source);
  gpu.destroyBuffer(target);
  report({ group: benchPeak.name, name: 'copying (read + write)', shape: `${bytes / 2 ** 20} MiB`, ms, value: (2 * bytes) / ms / 1e6, unit: 'GB/s', ratio: null });
}

/** Measured ceilings that the other groups are to be read against. */
export const benchPeak: BenchGroup = {
  name: 'device peak',
  run: async (context) => {
    await measureFma(context);
    await measureCopy(context);
  },
};
