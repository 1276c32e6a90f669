/** Quantising a matrix of a published model to NF4: on the CPU, and on the GPU with the same words. */
import { emptyWeight } from '../src/kernels/matmul.ts';
import { quantizeNf4OnGpu, readPacked } from '../src/kernels/quantize-nf4.ts';
import { invariant } from '../src/protocol/errors.ts';
import { packNf4 } from '../src/quantization/packed-weight.ts';
import type { BenchGroup } from './page.ts';
import { timeMedian } from './result.ts';

const [ROWS, COLS] = [6144, 2048];

export const benchQuantising: BenchGroup = {
  name: 'quantising',
  run: async ({ gpu, report }) => {
    const source = new Uint16Array(Float32Array.from({ length: ROWS * COLS }, (_, i) => Math.sin(i * 12.9898) * 0.02).buffer).filter((_, i) => i % 2 === 1);
    const onGpu = async () => {
      const weight = emptyWeight(gpu, 'nf4', ROWS, COLS);
      invariant(await quantizeNf4OnGpu(gpu, source, weight), 'the GPU does not quantise as the CPU does');
      await gpu.finish();
      return weight;
    };
    const weight = await onGpu();
    const [made, expected] = [(await readPacked(gpu, weight)).words, packNf4(source, ROWS, COLS).words];
    gpu.destroyBuffer(weight.buffer);
    invariant(made.every((word, i) => word === expected[i]), 'the GPU quantised otherwise than the CPU');
    const cpuMs = await timeMedian(async () => void packNf4(source, ROWS, COLS));
    const gpuMs = await timeMedian(async () => gpu.destroyBuffer((await onGpu()).buffer));
    const rate = (ms: number) => source.byteLength / 1e3 / ms;
    const row = { group: 'quantising', shape: `${ROWS} × ${COLS} bf16`, unit: 'MB/s' };
    report({ ...row, name: 'NF4 on the CPU, one thread', ms: cpuMs, value: rate(cpuMs), ratio: 'baseline' });
    report({ ...row, name: 'NF4 on the GPU, weights sent there', ms: gpuMs, value: rate(gpuMs), ratio: cpuMs / gpuMs });
  },
};
