/** Our linear layers over packed weights against stock tf.matMul on the same weights unpacked to float32. */
import * as tf from '@tensorflow/tfjs';
import { matmulForward, matmulTransposed, uploadWeight, viewOf } from '../src/kernels/matmul.ts';
import { packWeight, unpack } from '../src/quantization/packed-weight.ts';
import type { WeightKind } from '../src/quantization/packed-weight.ts';
import { checkEqual, values } from './compare.ts';
import type { BenchContext, BenchGroup } from './page.ts';
import { timeMedian } from './result.ts';

const KINDS: readonly WeightKind[] = ['nf4', 'int8', 'bf16', 'f32'];
const TOLERANCE = 1e-4;

/** Times one product both ways. `transposed`: X[M,N]·W, the gradient of the input. */
async function measure({ gpu, report }: BenchContext, m: number, size: number, transposed: boolean): Promise<void> {
  const direction = transposed ? 'transposed' : 'forward';
  const shape = `${m} × ${size} × ${size}`;
  const gflop = (2 * m * size * size) / 1e9;
  const weights = values(size * size, 1);
  const x = gpu.upload(values(m * size, 2), [m, size]);
  const y = gpu.empty([m, size]);
  const timing = { minMs: 1500, minRuns: 3 };

  for (const kind of KINDS) {
    const packed = packWeight(kind, weights, size, size);
    const dense = tf.tensor2d(unpack(packed), [size, size]);
    const stock = () => tf.matMul(x as tf.Tensor2D, dense, false, !transposed);
    const weight = uploadWeight(gpu, packed);
    const launch = transposed ? matmulTransposed : matmulForward;
    const ours = async () => {
      launch(gpu, viewOf(x), m, weight, viewOf(y));
      await gpu.finish();
    };
    await ours();
    const expected = stock();
    checkEqual(`${kind} linear, ${direction}`, await gpu.readFloats(y), await gpu.readFloats(expected), TOLERANCE);
    expected.dispose();

    const baseline = await timeMedian(async () => {
      stock().dispose();
      await gpu.finish();
    }, timing);
    const ms = await timeMedian(ours, timing);
    if (kind === 'nf4') {
      report({ group: benchLinear.name, name: `stock tf.matMul, float32, ${direction}`, shape, ms: baseline, value: (gflop / baseline) * 1e3, unit: 'GFLOP/s', ratio: 'baseline' });
    }
    report({ group: benchLinear.name, name: `${kind} linear, ${direction}`, shape, ms, value: (gflop / ms) * 1e3, unit: 'GFLOP/s', ratio: baseline / ms });
    dense.dispose();
    gpu.destroyBuffer(weight.buffer);
  }
  x.dispose();
  y.dispose();
}

/** The baseline is timed anew beside each kind, so that a busy moment hits both. */
export const benchLinear: BenchGroup = {
  name: 'linear',
  run: async (context) => {
    const size = context.gpu.profile === 'rasterizer' ? 1024 : 2048;
    await measure(context, 256, size, false);
    await measure(context, 256, size, true);
  },
};
