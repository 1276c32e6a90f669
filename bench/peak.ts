/** What the device can do at best: multiply-adds on registers, and copying memory. */
import { defineKernel } from '../src/gpu/kernel.ts';
import type { BenchContext, BenchGroup } from './page.ts';
import { timeMedian } from './result.ts';

const THREADS = 64;
/** Independent vec4 chains per thread hide the latency of one multiply-add. */
const CHAINS = 4;

const FMA = defineKernel({
  name: 'multiply-adds',
  bindings: { result: 'write array<f32>' },
  params: { seed: 'u32' },
  wgsl: ({ steps }: { steps: number }) => `
@compute @workgroup_size(${THREADS})
fn main(@builtin(global_invocation_id) id: vec3u) {
  let x = vec4f(f32(id.x + params.seed) * 1e-6, 0.1, 0.2, 0.3);
  var a = array<vec4f, ${CHAINS}>(x, x + 0.1, x + 0.2, x + 0.3);
  for (var i = 0u; i < ${steps}u; i++) {
    ${Array.from({ length: CHAINS }, (_, c) => `a[${c}] = fma(a[${c}], vec4f(0.999), x);`).join('\n    ')}
  }
  let sum = ${Array.from({ length: CHAINS }, (_, c) => `a[${c}]`).join(' + ')};
  result[id.x] = sum.x + sum.y + sum.z + sum.w;
}`,
});

async function measureFma({ gpu, report }: BenchContext): Promise<void> {
  const rasterizer = gpu.profile === 'rasterizer';
  const threads = rasterizer ? 4096 : 262_144;
  const steps = rasterizer ? 512 : 4096;
  const result = gpu.empty([threads]);
  const ms = await timeMedian(async () => {
    gpu.run(FMA, { constants: { steps }, bindings: { result }, params: { seed: 1 }, groups: [threads / THREADS] });
    await gpu.finish();
  });
  const [first] = await gpu.readFloats(result);
  if (!Number.isFinite(first) || first === 0) throw new Error(`peak: the kernel gave ${first}`);
  result.dispose();
  const flops = threads * steps * CHAINS * 4 * 2;
  report({ group: benchPeak.name, name: 'multiply-adds on registers', shape: `${threads} threads`, ms, value: flops / ms / 1e6, unit: 'GFLOP/s', ratio: null });
}

async function measureCopy({ gpu, report }: BenchContext): Promise<void> {
  const bytes = (gpu.profile === 'rasterizer' ? 32 : 256) * 2 ** 20;
  const source = gpu.createBuffer(bytes);
  const target = gpu.createBuffer(bytes);
  const ms = await timeMedian(async () => {
    gpu.copy(source, 0, target, 0, bytes);
    await gpu.finish();
  });
  gpu.destroyBuffer(source);
  gpu.destroyBuffer(target);
  report({ group: benchPeak.name, name: 'buffer copy (read + write)', shape: `${bytes / 2 ** 20} MiB`, ms, value: (2 * bytes) / ms / 1e6, unit: 'GB/s', ratio: null });
}

/** Measured ceilings that the other groups are to be read against. */
export const benchPeak: BenchGroup = {
  name: 'device peak',
  run: async (context) => {
    await measureFma(context);
    await measureCopy(context);
  },
};
