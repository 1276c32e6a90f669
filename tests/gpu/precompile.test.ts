import { describe, expect, it } from 'vitest';
import { defineKernel } from '../../src/gpu/kernel.ts';
import { useGpu } from './open.ts';

const FILL = defineKernel({
  name: 'fill',
  bindings: { y: 'write array<f32>' },
  params: { value: 'f32' },
  wgsl: ({ factor }: { factor: number }) => `@compute @workgroup_size(4) fn main(@builtin(global_invocation_id) id: vec3u) { y[id.x] = params.value * ${factor}.0; }`,
});

const BROKEN = defineKernel({ name: 'broken', bindings: { y: 'write array<f32>' }, params: {}, wgsl: () => 'fn main() { nonsense }' });

describe('compiling beforehand', () => {
  const gpuOf = useGpu();

  it('runs nothing, and what was asked for is there afterwards', async () => {
    const gpu = gpuOf();
    const y = gpu.zeros([4]);
    const launch = (factor: number) => gpu.run(FILL, { constants: { factor }, bindings: { y }, params: { value: 2 }, groups: [1] });
    const before = gpu.dispatches;
    await gpu.precompile(() => {
      launch(3);
      launch(5);
      launch(3);
    });
    expect(gpu.dispatches).toBe(before);
    expect([...(await gpu.readFloats(y))]).toEqual([0, 0, 0, 0]);
    launch(5);
    expect([...(await gpu.readFloats(y))]).toEqual([10, 10, 10, 10]);
    launch(3);
    expect([...(await gpu.readFloats(y))]).toEqual([6, 6, 6, 6]);
    y.dispose();
  });

  it('a kernel may be run while it is being compiled', async () => {
    const gpu = gpuOf();
    const y = gpu.zeros([4]);
    const launch = () => gpu.run(FILL, { constants: { factor: 7 }, bindings: { y }, params: { value: 1 }, groups: [1] });
    const ready = gpu.precompile(launch);
    launch();
    expect([...(await gpu.readFloats(y))]).toEqual([7, 7, 7, 7]);
    await ready;
    launch();
    expect([...(await gpu.readFloats(y))]).toEqual([7, 7, 7, 7]);
    y.dispose();
  });

  it('leaves what cannot be compiled for the dispatch, whose error tells', async () => {
    const gpu = gpuOf();
    const y = gpu.zeros([4]);
    const launch = () => gpu.run(BROKEN, { bindings: { y }, params: {}, groups: [1] });
    gpu.device.pushErrorScope('validation');
    await gpu.precompile(launch);
    launch();
    gpu.submit();
    expect((await gpu.device.popErrorScope())?.message).toContain('nonsense');
    y.dispose();
  });
});
