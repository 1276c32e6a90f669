import * as tf from '@tensorflow/tfjs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openGpu } from '../../src/gpu/device.ts';
import { defineKernel } from '../../src/gpu/kernel.ts';
import { checkPrivateMembers } from '../../src/gpu/tfjs-backend.ts';
import { accumulateOuter } from '../../src/kernels/outer.ts';
import { scatterAddRows } from '../../src/kernels/rows.ts';
import { noise, useGpu } from './open.ts';

const gpuOf = useGpu();

describe('private members of tfjs', () => {
  it('are all there in the pinned version', () => {
    expect(() => checkPrivateMembers(tf.backend())).not.toThrow();
  });

  it.each(['device', 'queue', 'bufferManager', 'tensorMap', 'commandEncoder', 'computePassEncoder', 'submitQueue', 'uploadToGPU', 'read', 'dispatchCountInPass'])(
    'a version without "%s" is refused by name',
    (member) => {
      const other = new Proxy(tf.backend(), { has: (target, name) => name !== member && name in target });
      expect(() => checkPrivateMembers(other)).toThrow(new RegExp(`Invariant violation.*"${member}"`));
    },
  );
});

describe('reading tensors', () => {
  it('data() of stock results has the exact length and values although buffers are larger', async () => {
    const gpu = gpuOf();
    // Leaves larger buffers full of sevens for the tensors below.
    tf.dispose([1, 2, 3, 4, 5, 6].map((n) => gpu.upload(new Float32Array(5000 * n).fill(7), [5000 * n])));
    for (const n of [1, 3, 17, 65, 1001, 4099]) {
      const values = noise(n, n);
      const sum = await tf.tidy(() => tf.add(tf.tensor1d(values), 1)).data();
      expect(sum).toEqual(values.map((value) => value + 1));
      const ints = await tf.tidy(() => tf.add(tf.range(0, n, 1, 'int32'), tf.scalar(5, 'int32'))).data();
      expect(ints).toEqual(Int32Array.from({ length: n }, (_, i) => i + 5));
      const bools = await tf.tidy(() => tf.less(tf.range(0, n), n / 2)).data();
      expect(bools).toEqual(Uint8Array.from({ length: n }, (_, i) => (i < n / 2 ? 1 : 0)));
      const part = await tf.tidy(() => tf.slice(tf.mul(tf.tensor1d(values), 2), [n >> 1])).data();
      expect(part).toEqual(values.slice(n >> 1).map((value) => value * 2));
    }
  });

  it('data() sees what a kernel wrote into an uploaded tensor', async () => {
    const gpu = gpuOf();
    const target = gpu.upload(Float32Array.of(1, 2, 3, 4), [2, 2]);
    expect(await target.data()).toEqual(Float32Array.of(1, 2, 3, 4));
    scatterAddRows(gpu, gpu.upload(Float32Array.of(10, 20), [1, 2]), gpu.upload(Int32Array.of(1), [1]), target);
    expect(await target.data()).toEqual(Float32Array.of(1, 2, 13, 24));
    expect(await gpu.readFloats(target)).toEqual(Float32Array.of(1, 2, 13, 24));
  });

  it('zeros are zero in a buffer that held something', async () => {
    const gpu = gpuOf();
    gpu.upload(new Float32Array(100_000).fill(3), [100_000]).dispose();
    expect((await gpu.readFloats(gpu.zeros([99_999]))).every((value) => value === 0)).toBe(true);
  });
});

describe('one command stream', () => {
  let tensors = 0;
  beforeEach(() => {
    tensors = tf.memory().numTensors;
  });
  afterEach(() => {
    expect(tf.memory().numTensors, 'tensors left over').toBe(tensors);
  });

  it('stock operations, kernels, clears, copies and writes take effect in the order they were called', async () => {
    const gpu = gpuOf();
    const index = gpu.upload(Int32Array.of(2, 0), [2]);
    const constants = gpu.createBuffer(16);
    let x: tf.Tensor = gpu.upload(Float32Array.of(1, 2, 3, 4, 5, 6), [3, 2]);
    const plain = [1, 2, 3, 4, 5, 6];
    for (let round = 1; round <= 60; round++) {
      const halved = tf.mul(x, 0.5);
      x.dispose();
      const rows = tf.fill([2, 2], round);
      scatterAddRows(gpu, rows, index, halved);
      rows.dispose();
      gpu.writeBuffer(constants, Float32Array.of(round, 0, 0, 0));
      gpu.copy(constants, 0, halved, 12, 4);
      gpu.writeBuffer(constants, Float32Array.of(-1, -1, -1, -1));
      const zero = gpu.zeros([1]);
      x = tf.sub(halved, zero);
      tf.dispose([halved, zero]);
      for (let i = 0; i < 6; i++) plain[i] = Math.fround(plain[i] * 0.5 + (i < 2 || i > 3 ? round : 0));
      plain[3] = round;
    }
    expect(await gpu.readFloats(x)).toEqual(Float32Array.from(plain));
    tf.dispose([x, index]);
    gpu.destroyBuffer(constants);
  });

  it('a hundred further steps leave tensors and bytes as they were', async () => {
    const gpu = gpuOf();
    const buffer = gpu.createBuffer(4 * 12);
    const step = () => {
      const [p, q] = [gpu.upload(noise(8 * 3, 1), [8, 3]), gpu.upload(noise(8 * 4, 2), [8, 4])];
      accumulateOuter(gpu, { data: p, stride: 3, offset: 0 }, 3, { data: q, stride: 4, offset: 0 }, 4, 8, 1, { buffer, offset: 0, strideI: 4, strideJ: 1 });
      const product = tf.matMul(p, q.reshape([4, 8]).slice([0, 0], [3, 4]));
      tf.dispose([p, q, product]);
    };
    const counts: number[][] = [];
    for (let i = 0; i < 120; i++) {
      tf.tidy(step);
      if (i === 20 || i === 119) {
        await gpu.finish();
        counts.push([tf.memory().numTensors, gpu.bytes(), gpu.backend.pool.getNumUsedBuffers()]);
      }
    }
    expect(counts[1]).toEqual(counts[0]);
    gpu.destroyBuffer(buffer);
  });
});

/** y[index] = value, straight from the uniform words. */
const STORE = defineKernel({
  name: 'store',
  bindings: { y: 'write array<f32>', unused: 'write? array<f32>', alsoUnused: 'write? array<f32>' },
  params: { index: 'u32', value: 'f32' },
  wgsl: ({ factor }: { factor: number }) => `
@compute @workgroup_size(1) fn main() { y[params.index] = params.value * f32(${factor}); }`,
});

describe('a dispatch', () => {
  it('compiles each set of constants, and needs no optional bindings', async () => {
    const gpu = gpuOf();
    const y = gpu.zeros([3]);
    for (const [index, factor] of [1, 2, 4].entries()) gpu.run(STORE, { constants: { factor }, bindings: { y }, params: { index, value: 3 }, groups: [1] });
    expect([...(await gpu.readFloats(y))]).toEqual([3, 6, 12]);
  });

  it('that names no buffer, an unknown one or a wrong parameter says which', () => {
    const gpu = gpuOf();
    const y = gpu.zeros([1]);
    const launch = { constants: { factor: 1 }, bindings: { y }, params: { index: 0, value: 0 }, groups: [1] as const };
    const badly = (change: object) => () => gpu.run(STORE, { ...launch, ...change });
    expect(badly({ bindings: {} })).toThrow('Invariant violation: store: nothing is bound to y');
    expect(badly({ bindings: { y, x: y } })).toThrow('store: unknown binding x');
    expect(badly({ params: { index: 0.5, value: 0 } })).toThrow('store: index is 0.5');
    expect(badly({ params: { index: 0 } })).toThrow('store: value is undefined');
  });
});

describe('uniform ring', () => {
  // The engine submits long before the ring is full; 100,000 leaves it to the ring. Opening another device makes it tfjs's current one: keep this last.
  it.each([0, 100_000])('2,600 dispatches keep their own parameters (submit every %i, 0 = as the engine does)', async (submitEvery) => {
    const gpu = submitEvery ? (await openGpu({ submitEvery })).gpu : gpuOf();
    const y = gpu.zeros([2600]);
    const submits = gpu.backend.submits;
    for (let i = 0; i < 2600; i++) gpu.run(STORE, { constants: { factor: 1 }, bindings: { y }, params: { index: i, value: i * 1.5 }, groups: [1] });
    expect(await gpu.readFloats(y)).toEqual(Float32Array.from({ length: 2600 }, (_, i) => i * 1.5));
    // Two full rings and the read.
    if (submitEvery) expect(gpu.backend.submits - submits).toBe(3);
  });
});
