/** A gated MLP with adapters in the widths of Qwen3-VL 2B, forward and backward: ours on NF4 weights, and jax-js on the same values in float32. */
import * as tf from '@tensorflow/tfjs';
import type { AdapterTensor } from '../src/checkpoint/adapter-tensor.ts';
import type { AdaptedLinear } from '../src/checkpoint/adapted-modules.ts';
import type { Gpu } from '../src/gpu/gpu.ts';
import { uploadWeight } from '../src/kernels/matmul.ts';
import { AdapterArena } from '../src/model/adapter-arena.ts';
import { GatedMlp } from '../src/model/parts/gated-mlp.ts';
import { LinearGroup } from '../src/model/parts/linear-group.ts';
import { passContext } from '../src/model/parts/pass-context.ts';
import { unpack } from '../src/quantization/packed-weight.ts';
import { checkEqual, values } from './compare.ts';
import { ADAPTER } from './demo-model.ts';
import type { BenchContext, BenchGroup } from './page.ts';
import { RandomNf4 } from './random-nf4.ts';
import { timeMedian } from './result.ts';

const [HIDDEN, INNER] = [2048, 6144];
const NAMES = ['gate_proj', 'up_proj', 'down_proj'] as const;
/** Float32 on all sides, in other orders of summation. */
const TOLERANCE = 1e-4;

/** The block's input, gradient of its output, dense weights and factors A, B of each layer in turn, on the CPU. */
interface Scene {
  rows: number;
  x: Float32Array<ArrayBuffer>;
  dy: Float32Array<ArrayBuffer>;
  dense: { data: Float32Array<ArrayBuffer>; shape: [number, number] }[];
  factors: AdapterTensor[];
}

/** Gradients of x and of each factor in their order. */
type Gradients = Float32Array[];

interface Peer {
  name: string;
  /** Once, for comparison. */
  gradients: () => Promise<Gradients>;
  /** Once, until the last gradient is there. */
  run: () => Promise<void>;
  dispose: () => void;
}

const moduleOf = (name: string, outFeatures: number, inFeatures: number, inputGroup: string): AdaptedLinear => ({
  path: name, outFeatures, inFeatures, inputGroup, bias: false, part: 'language_model', layer: 0, quantizable: true, ...ADAPTER,
});

async function ours(gpu: Gpu, rows: number): Promise<{ peer: Peer; scene: Scene }> {
  const random = new RandomNf4(1);
  const modules = [moduleOf('gate_proj', INNER, HIDDEN, 'in'), moduleOf('up_proj', INNER, HIDDEN, 'in'), moduleOf('down_proj', HIDDEN, INNER, 'inner')];
  const packed = modules.map(({ outFeatures, inFeatures }) => random.weight(outFeatures, inFeatures));
  const weights = packed.map((weight) => uploadWeight(gpu, weight));
  const arena = new AdapterArena(gpu, [modules.slice(0, 2), modules.slice(2)], ADAPTER);
  arena.initialize();
  const factors = (await arena.read('weights')).map((factor, i) => (factor.name.includes('lora_B') ? { ...factor, data: values(factor.data.length, i).map((value) => value * 0.05) } : factor));
  arena.write('weights', factors);
  const group = (...at: number[]) => new LinearGroup(at.map((i) => ({ path: NAMES[i], weight: weights[i] })));
  const mlp = new GatedMlp(group(0, 1), group(2));
  const [xValues, dyValues] = [values(rows * HIDDEN, 5), values(rows * HIDDEN, 6)];
  const [x, dy] = [gpu.upload(xValues, [rows, HIDDEN]), gpu.upload(dyValues, [rows, HIDDEN])];
  const context = passContext(gpu, arena, null);
  const once = () => {
    const { y, saved } = mlp.forward(context, x, x);
    y.dispose();
    return mlp.backward(context, x, saved, dy);
  };
  return {
    scene: { rows, x: xValues, dy: dyValues, dense: packed.map((weight) => ({ data: Float32Array.from(unpack(weight)), shape: [weight.rows, weight.cols] })), factors },
    peer: {
      name: `NF4, r ${ADAPTER.r}`,
      async gradients() {
        const dx = once();
        const result = [await gpu.readFloats(dx), ...(await arena.read('gradients')).map(({ data }) => data)];
        dx.dispose();
        return result;
      },
      async run() {
        once().dispose();
        await gpu.finish();
      },
      dispose() {
        tf.dispose([x, dy]);
        arena.dispose();
        for (const { buffer } of weights) gpu.destroyBuffer(buffer);
      },
    },
  };
}

/** On a device of its own. */
async function jax({ rows, x, dy, dense, factors }: Scene): Promise<Peer> {
  const { init, defaultDevice, jit, grad, nn, numpy: np, blockUntilReady } = await import('@jax-js/jax');
  await init('webgpu');
  defaultDevice('webgpu');
  type Arrays = ReturnType<typeof np.array>[];
  const of = (data: Float32Array<ArrayBuffer>, shape: readonly number[]) => np.array(data, { shape: [...shape] });
  const held: Arrays = [of(x, [rows, HIDDEN]), ...factors.map(({ data, shape }) => of(Float32Array.from(data), shape)), ...dense.map(({ data, shape }) => of(data, shape)), of(dy, [rows, HIDDEN])];
  const trained = 1 + factors.length;
  const product = (a: Arrays[number], b: Arrays[number]) => np.matmul(a, b.transpose());
  const loss = (trainable: Arrays, frozen: Arrays) => {
    const linear = (h: Arrays[number], i: number) => product(h.ref, frozen[i]).add(product(product(h, trainable[1 + 2 * i]), trainable[2 + 2 * i]).mul(ADAPTER.scale));
    const gated = nn.silu(linear(trainable[0].ref, 0)).mul(linear(trainable[0], 1));
    return linear(gated, 2).mul(frozen[dense.length]).sum();
  };
  const gradient = jit(grad(loss));
  const once = () => gradient(held.slice(0, trained).map((array) => array.ref), held.slice(trained).map((array) => array.ref));
  return {
    name: 'jax-js, float32, jit',
    gradients: () => Promise.all(once().map(async (array) => Float32Array.from(await array.data()))),
    async run() {
      const made = await blockUntilReady(once());
      for (const array of made) array.dispose();
    },
    dispose() {
      for (const array of held) array.dispose();
      gradient.dispose();
    },
  };
}

export const benchLoraBlock: BenchGroup = {
  name: 'LoRA block',
  optional: true,
  browserOnly: true,
  async run({ gpu, report }: BenchContext) {
    const rows = gpu.profile === 'gpu' ? 1024 : 64;
    const { peer, scene } = await ours(gpu, rows);
    const expected = await peer.gradients();
    const timing = { minMs: 3000, minRuns: 2 };
    const ms = await timeMedian(peer.run, timing);
    const row = (name: string, time: number, ratio: number | 'baseline') =>
      report({ group: benchLoraBlock.name, name, shape: `hidden ${HIDDEN}, inner ${INNER}, ${rows} tokens`, ms: time, value: (1e3 * rows) / time, unit: 'tokens/s', ratio });
    row(`${peer.name}, forward and backward`, ms, 'baseline');
    const other = await jax(scene);
    (await other.gradients()).forEach((gradient, i) => checkEqual(`${other.name}: gradient ${i}`, gradient, expected[i], TOLERANCE));
    const time = await timeMedian(other.run, timing);
    row(other.name, time, ms / time);
    other.dispose();
    peer.dispose();
  },
};
