/** What the device can do at best: multiply-adds on registers, and copying memory. */
import { defineKernel } from '../src/gpu/kernel.ts';
import { stopwatchOf } from '../src/gpu/stopwatch.ts';
import { multiplyAddPeak } from '../src/kernels/tuning/multiply-add-peak.ts';
import type { BenchContext, BenchGroup } from './page.ts';
import { timeMedian } from './result.ts';

const THREADS = 256;
async function measureMultiplyAdds({ gpu, report }: BenchContext): Promise<void> {
  const peak = await multiplyAddPeak(gpu, stopwatchOf(gpu));
  report({ group: benchPeak.name, name: 'multiply-adds on registers', shape: '', ms: null, value: peak / 1e9, unit: 'GFLOP/s', ratio: null });
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
    await measureMultiplyAdds(context);
    await measureCopy(context);
  },
};
