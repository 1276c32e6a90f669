/** The demo as a program of stock tfjs operations: the same quantised values in float32, the same batch, the same update. */
import * as tf from '@tensorflow/tfjs';
import type { ModelFiles } from '../src/checkpoint/model-files.ts';
import type { Qwen3VLConfig } from '../src/families/qwen3-vl/config.ts';
import { expectedTensors } from '../src/families/architecture.ts';
import { toFloat32 } from '../src/checkpoint/tensor-values.ts';
import type { EncodedSample } from '../src/processing/types.ts';
import type { Processor } from '../src/processing/processor.ts';
import { packNf4, unpack } from '../src/quantization/packed-weight.ts';
import type { AdapterTensor } from '../src/checkpoint/adapter-tensor.ts';
import type { AdamWSettings } from '../src/kernels/adamw.ts';
import { Qwen3VLOracle } from '../tests/reference/qwen3-vl-tfjs.ts';
import type { OracleFactors, OracleSample } from '../tests/reference/qwen3-vl-tfjs.ts';

/** Every tensor of the checkpoint as float32; linear layers with the values that NF4 leaves of them. */
async function dequantizedWeights(files: ModelFiles): Promise<Map<string, Float32Array>> {
  const linear = new Map(files.architecture.linearModules.map((module) => [`${module.path}.weight`, module]));
  const weights = new Map<string, Float32Array>();
  for (const { name } of expectedTensors(files.architecture)) {
    const module = linear.get(name);
    weights.set(name, module ? unpack(packNf4(await files.readWeights(name), module.outFeatures, module.inFeatures)) : toFloat32(await files.readTensor(name), { file: '', field: name }));
  }
  return weights;
}

async function oracleSample(processor: Processor, sample: EncodedSample): Promise<OracleSample> {
  const length = sample.inputIds.length;
  return {
    inputIds: [...sample.inputIds],
    labels: [...sample.labels],
    positionIds: [0, 1, 2].map((axis) => [...sample.positionIds.subarray(axis * length, (axis + 1) * length)]),
    pixelValues: (await processor.pack([sample])).pixelValues,
    grids: sample.media.map(({ grid }) => grid),
  };
}

/** Loss, gradients and update of one batch, on the tape of tfjs. */
export class StockPeer {
  private constructor(
    private readonly oracle: Qwen3VLOracle,
    private readonly samples: readonly OracleSample[],
    private readonly variables: readonly tf.Variable[],
    private readonly modules: readonly string[],
    private readonly scale: number,
  ) {}

  /** @param adapter factors in PEFT's names, A before B */
  static async create(files: ModelFiles, processor: Processor, samples: readonly EncodedSample[], adapter: readonly AdapterTensor[], scale: number): Promise<StockPeer> {
    const oracle = new Qwen3VLOracle(files.config as Qwen3VLConfig, await dequantizedWeights(files));
    const variables = adapter.map(({ name, shape, data }) => tf.variable(tf.tensor2d(data, shape), true, `stock.${name}`));
    const modules = adapter.filter(({ name }) => name.endsWith('.lora_A.weight')).map(({ name }) => name.slice(0, -'.lora_A.weight'.length));
    return new StockPeer(oracle, await Promise.all(samples.map((sample) => oracleSample(processor, sample))), variables, modules, scale);
  }

  /** Mean loss of the batch and its gradients, in the order of the adapter's tensors. */
  lossAndGradients(): { loss: tf.Tensor; gradients: tf.Tensor[] } {
    const { value, grads } = tf.valueAndGrads((...tensors: tf.Tensor[]) => {
      const factors = new Map(this.modules.map((module, i): [string, OracleFactors] => [module, { a: tensors[2 * i] as tf.Tensor2D, b: tensors[2 * i + 1] as tf.Tensor2D }]));
      return this.oracle.loss(this.samples, { factors, scale: this.scale });
    })([...this.variables]);
    return { loss: value, gradients: grads };
  }

  /** Clipping and Adam; weight decay is not among tfjs's own and stays out on both sides. */
  update(optimizer: tf.Optimizer, gradients: readonly tf.Tensor[], { maxGradNorm }: AdamWSettings): void {
    tf.tidy(() => {
      // tf.addN binds all its inputs at once, more than WebGPU allows.
      const norm = tf.sqrt(gradients.map((gradient) => tf.sum(tf.square(gradient))).reduce((a, b) => tf.add(a, b)));
      const factor = tf.minimum(tf.div(maxGradNorm, tf.add(norm, 1e-6)), 1);
      optimizer.applyGradients(Object.fromEntries(this.variables.map((variable, i) => [variable.name, tf.mul(gradients[i], factor)])));
    });
  }

  dispose(): void {
    tf.dispose([...this.variables]);
    this.oracle.dispose();
  }
}
