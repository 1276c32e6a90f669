/** What f16 tiles make of numbers beyond their range. */
import { matmulForward, uploadWeight, viewOf } from '../../../src/kernels/matmul.ts';
import { packBf16 } from '../../../src/quantization/packed-weight.ts';
import { noise } from './numbers.ts';
import type { CheckGroup } from './run.ts';

const [M, N, K] = [64, 96, 128];

const count = (values: Float32Array, wrong: (value: number, i: number) => boolean): number => values.reduce((sum, value, i) => sum + (wrong(value, i) ? 1 : 0), 0);

export const checkOutliers: CheckGroup = {
  name: 'outliers',
  needsF16: true,
  async run({ open, hold }) {
    const gpu = await open();
    const multiply = async (x: Float32Array, weightSize: number) => {
      const weight = uploadWeight(gpu, packBf16(noise(N * K, 1).map((value) => value * weightSize), N, K));
      const [xTensor, y] = [gpu.upload(x, [M, K]), gpu.empty([M, N])];
      gpu.halfTiles = true;
      matmulForward(gpu, viewOf(xTensor), M, weight, viewOf(y));
      gpu.halfTiles = false;
      const values = await gpu.readFloats(y);
      xTensor.dispose();
      y.dispose();
      gpu.destroyBuffer(weight.buffer);
      return values;
    };
    const ordinary = noise(M * K, 2);
    const outlier = (row: number, value: number, columns = 1) => {
      const x = ordinary.slice();
      for (let c = 0; c < columns; c++) x[row * K + 8 + c] = value;
      return x;
    };
    for (const weightSize of [0.1, 1]) {
      const expected = await multiply(ordinary, weightSize);
      for (const value of [1e6, -1e6]) {
        const result = await multiply(outlier(3, value), weightSize);
        hold(`${value} × weights up to ${weightSize}: results that are no number`, count(result, (y) => !Number.isFinite(y)), 0);
        hold(`${value} × weights up to ${weightSize}: changes in other rows`, count(result, (y, i) => Math.floor(i / N) !== 3 && y !== expected[i]), 0);
      }
      const four = await multiply(outlier(3, 1e6, 4), weightSize);
      hold(`four times 1e6 × weights up to ${weightSize}: results that are no number`, count(four, (y) => !Number.isFinite(y)), 0);
    }
    for (const value of [NaN, Infinity]) {
      const result = await multiply(outlier(3, value), 0.1);
      // The loss must become NaN, which stops the run, rather than a wrong number.
      hold(`${value}: results of its row that look like numbers`, count(result.slice(3 * N, 4 * N), (y) => Number.isFinite(y)), 0);
      hold(`${value}: results of other rows that are no number`, count(result, (y, i) => Math.floor(i / N) !== 3 && !Number.isFinite(y)), 0);
    }
  },
};
