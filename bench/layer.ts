/** One decoder layer with adapters, forward and backward: ours on NF4 weights, and stock tfjs operations on the same values in float32. */
import * as tf from '@tensorflow/tfjs';
import { readArchitecture } from '../src/checkpoint/model-config.ts';
import type { Qwen3VLConfig } from '../src/families/qwen3-vl/config.ts';
import type { Architecture, LinearModule } from '../src/families/architecture.ts';
import type { Gpu } from '../src/gpu/gpu.ts';
import { uploadWeight } from '../src/kernels/matmul.ts';
import { AdapterArena } from '../src/model/adapter-arena.ts';
import { LinearGroup } from '../src/model/parts/linear-group.ts';
import { textRotary } from '../src/model/parts/rotary-tables.ts';
import { passContext } from '../src/model/parts/pass-context.ts';
import { Attention } from '../src/model/parts/attention.ts';
import { DecoderLayer } from '../src/model/parts/decoder-layer.ts';
import { GatedMlp } from '../src/model/parts/gated-mlp.ts';
import { packNf4, unpack } from '../src/quantization/packed-weight.ts';
import { Qwen3VLOracle, type OracleFactors } from '../tests/reference/qwen3-vl-tfjs.ts';
import { textAngles } from '../tests/reference/qwen3-vl-positions.ts';
import { checkEqual, values } from './compare.ts';
import { ADAPTER } from './demo-model.ts';
import type { BenchContext, BenchGroup } from './page.ts';
import { timeMedian } from './result.ts';

/** Float32 on both sides, in other orders of summation. */
const TOLERANCE = 1e-4;
const PATH = 'model.language_model.layers.0';

/** One layer of the demo's sizes or of others, with everything else as in the demo. */
async function configOf(demoUrl: string, sizes: Record<string, number>): Promise<Architecture<Qwen3VLConfig>> {
  const json = (await (await fetch(`${demoUrl}model/config.json`)).json()) as { text_config: Record<string, unknown> & { hidden_size: number; head_dim: number; rope_scaling: object }; vision_config: object };
  const text = { ...json.text_config, ...sizes, num_hidden_layers: 1 };
  const part = text.head_dim / 16;
  const rope_scaling = { ...text.rope_scaling, mrope_section: [text.head_dim / 2 - 4 * part, 2 * part, 2 * part] };
  return readArchitecture(JSON.stringify({ ...json, text_config: { ...text, rope_scaling }, vision_config: { ...json.vision_config, out_hidden_size: text.hidden_size } })) as Architecture<Qwen3VLConfig>;
}

/** The layer's tensors of usual size by name; matrices as NF4 leaves them. */
function layerWeights({ otherTensors }: Architecture, modules: readonly LinearModule[]) {
  const weights = new Map<string, Float32Array>();
  const packed = new Map(modules.map(({ path, outFeatures, inFeatures }, i) => [path, packNf4(values(outFeatures * inFeatures, i + 1).map((value) => value / Math.sqrt(inFeatures)), outFeatures, inFeatures)]));
  for (const [path, weight] of packed) weights.set(`${path}.weight`, unpack(weight));
  for (const { name, shape } of otherTensors) {
    if (name.startsWith(PATH) && shape.length === 1) weights.set(name, values(shape[0], shape[0]).map((value) => 1 + 0.2 * value));
  }
  return { weights, packed };
}

function ourLayer(gpu: Gpu, config: Qwen3VLConfig, { weights, packed }: ReturnType<typeof layerWeights>) {
  const buffers: GPUBuffer[] = [];
  const keep = <T extends { buffer: GPUBuffer }>(weight: T): T => {
    buffers.push(weight.buffer);
    return weight;
  };
  const group = (...names: string[]) => new LinearGroup(names.map((name) => ({ path: `${PATH}.${name}`, weight: keep(uploadWeight(gpu, packed.get(`${PATH}.${name}`)!)) })));
  const norm = (name: string, size: number) => ({ weight: keep({ buffer: gpu.createBuffer(weights.get(`${PATH}.${name}.weight`)!) }).buffer, size, eps: config.rmsNormEps });
  const layer = new DecoderLayer({
    inputNorm: norm('input_layernorm', config.hiddenSize),
    mixer: new Attention(
      {
        qkv: group('self_attn.q_proj', 'self_attn.k_proj', 'self_attn.v_proj'),
        qNorm: norm('self_attn.q_norm', config.headDim),
        kNorm: norm('self_attn.k_norm', config.headDim),
        o: group('self_attn.o_proj'),
      },
      { heads: config.numAttentionHeads, kvHeads: config.numKeyValueHeads, headDim: config.headDim },
    ),
    postAttentionNorm: norm('post_attention_layernorm', config.hiddenSize),
    mlp: new GatedMlp(group('mlp.gate_proj', 'mlp.up_proj'), group('mlp.down_proj')),
  });
  return { layer, dispose: () => buffers.forEach((buffer) => gpu.destroyBuffer(buffer)) };
}

/** One sequence of `rows` tokens: outputs, input gradient and adapter gradients must agree before anything is timed. */
async function measure({ gpu, options, report }: BenchContext, rows: number, sizes: Record<string, number>): Promise<void> {
  const architecture = await configOf(options.demoUrl, sizes);
  const { config } = architecture;
  const modules = architecture.linearModules.filter(({ part }) => part === 'language_model');
  const made = layerWeights(architecture, modules);
  const of = (...names: string[]) => modules.filter(({ path }) => names.some((name) => path.endsWith(name))).map((module) => ({ ...module, ...ADAPTER }));
  const arena = new AdapterArena(gpu, [of('q_proj', 'k_proj', 'v_proj'), of('o_proj'), of('gate_proj', 'up_proj'), of('down_proj')], ADAPTER);
  arena.initialize();
  const factors = (await arena.read('weights')).map((factor, i) => (factor.name.includes('lora_B') ? { ...factor, data: values(factor.data.length, i).map((value) => value * 0.05) } : factor));
  arena.write('weights', factors);
  const x = gpu.upload(values(rows * config.hiddenSize, 5), [rows, config.hiddenSize]);
  const dy = gpu.upload(values(rows * config.hiddenSize, 6), [rows, config.hiddenSize]);
  const positions = Array.from({ length: 3 }, () => Array.from({ length: rows }, (_, t) => t));

  const { cos, sin } = textRotary({ dim: config.headDim, theta: config.ropeTheta, section: config.mropeSection, interleaved: true }, Int32Array.from(positions.flat()), rows);
  const half = [rows, config.headDim / 2];
  const bounds = gpu.upload(Int32Array.from({ length: 2 * rows }, (_, i) => (i % 2) * rows), [rows, 2]);
  const sequence = { rotary: { cos: gpu.upload(cos, half), sin: gpu.upload(sin, half) }, bounds, lengths: [rows], delta: null, capturing: false };
  const { layer, dispose } = ourLayer(gpu, config, made);
  const context = passContext(gpu, arena, null);
  const ours = () => {
    const { y, saved } = layer.forward(context, sequence, x);
    return { y, dx: layer.backward(context, sequence, x, saved, dy, true)! };
  };

  const oracle = new Qwen3VLOracle(config, made.weights);
  const tensors = factors.map(({ data, shape }) => tf.tensor2d(data, shape));
  const paths = factors.filter((_, i) => i % 2 === 0).map(({ name }) => name.slice(0, -'.lora_A.weight'.length));
  const angles = textAngles(positions, config);
  const mask = tf.tensor2d(Float32Array.from({ length: rows ** 2 }, (_, i) => (i % rows > Math.floor(i / rows) ? -1e30 : 0)), [rows, rows]);
  const apply = (input: tf.Tensor, all: readonly tf.Tensor[]) => {
    const byPath = new Map(paths.map((path, i): [string, OracleFactors] => [path, { a: all[2 * i] as tf.Tensor2D, b: all[2 * i + 1] as tf.Tensor2D }]));
    return oracle.decoderLayer(input as tf.Tensor2D, 0, angles, mask, { factors: byPath, scale: ADAPTER.scale });
  };
  const stock = () => tf.grads((input: tf.Tensor, ...all: tf.Tensor[]) => apply(input, all))([x, ...tensors], dy);

  const once = ours();
  const gradients = stock();
  const expected = tf.tidy(() => apply(x, tensors));
  checkEqual('output of the layer', await gpu.readFloats(once.y), await gpu.readFloats(expected), TOLERANCE);
  checkEqual('gradient of its input', await gpu.readFloats(once.dx), await gpu.readFloats(gradients[0]), TOLERANCE);
  for (const [i, { name, data }] of (await arena.read('gradients')).entries()) checkEqual(`gradient of ${name}`, data, await gpu.readFloats(gradients[i + 1]), TOLERANCE);
  tf.dispose([once.y, once.dx, expected, ...gradients]);

  const timing = { minMs: 1500, minRuns: 2 };
  const baseline = await timeMedian(async () => {
    tf.dispose(stock());
    await gpu.finish();
  }, timing);
  const ms = await timeMedian(async () => {
    const { y, dx } = ours();
    await gpu.finish();
    tf.dispose([y, dx]);
  }, timing);
  const group = benchLayer.name;
  const shape = `hidden ${config.hiddenSize}, MLP ${config.intermediateSize}, ${rows} tokens`;
  report({ group, name: 'stock tfjs operations, float32', shape, ms: baseline, value: (rows / baseline) * 1e3, unit: 'tokens/s', ratio: 'baseline' });
  report({ group, name: `NF4, r ${ADAPTER.r}, forward and backward`, shape, ms, value: (rows / ms) * 1e3, unit: 'tokens/s', ratio: baseline / ms });
  oracle.dispose();
  dispose();
  arena.dispose();
  tf.dispose([x, dy, bounds, sequence.rotary.cos, sequence.rotary.sin, mask, ...tensors]);
}

export const benchLayer: BenchGroup = {
  name: 'layer',
  run: async (context) => {
    const large = context.gpu.profile === 'gpu';
    await measure(context, large ? 1024 : 256, {});
    await measure(
      context,
      large ? 1024 : 256,
      large
        ? { hidden_size: 2048, intermediate_size: 6144, num_attention_heads: 16, num_key_value_heads: 8, head_dim: 128 }
        : { hidden_size: 256, intermediate_size: 768, num_attention_heads: 4, num_key_value_heads: 2, head_dim: 64 },
    );
  },
};
