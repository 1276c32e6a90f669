/**
 * Qwen3-VL written only with stock tfjs operations on float32 tensors: the oracle that the engine is compared with,
 * and its peer in benchmarks. Straightforward on purpose: one sample and one image at a time, whole S × S score matrices,
 * whole logits, one gradient tape. It shares no code with src/model.
 */
import * as tf from '@tensorflow/tfjs';
import type { Qwen3VLConfig } from '../../src/families/qwen3-vl/config.ts';
import { interpolation, mergeOrder, textAngles, visionAngles, type Grid } from './qwen3-vl-positions.ts';

/** A [r, in] and B [out, r] of one adapted Linear: y += scale · (x Aᵀ) Bᵀ. */
export interface OracleFactors {
  a: tf.Tensor2D;
  b: tf.Tensor2D;
}

/** Adapted modules by full name, e.g. "model.language_model.layers.0.self_attn.q_proj". */
export interface OracleAdapter {
  factors: ReadonlyMap<string, OracleFactors>;
  /** alpha / r */
  scale: number;
}

/** One conversation without padding. */
export interface OracleSample {
  /** S */
  inputIds: readonly number[];
  /** 3 × S: temporal, height, width. */
  positionIds: readonly (readonly number[])[];
  /** patches × (3 · temporal patch · patch²) of all images in order. */
  pixelValues: Float32Array;
  grids: readonly Grid[];
  /** S; -100 carries no loss; labels[t] is the token at t. */
  labels?: readonly number[];
}

export interface OracleVision {
  /** Features in the place of image tokens [tokens, hidden]. */
  merged: tf.Tensor2D;
  /** Added to the image rows after the first decoder layers. */
  deepstack: tf.Tensor2D[];
}

/** Loss with the gradient of every factor, named as PEFT names it without prefix. */
export interface OracleGradients {
  loss: number;
  gradients: Map<string, Float32Array>;
}

const IGNORED = -100;
const VISION_EPS = 1e-6;

/** A frozen model; weights become tensors of the current backend when first used. */
export class Qwen3VLOracle {
  private readonly tensors = new Map<string, tf.Tensor>();

  /** @param weights all tensors of the checkpoint by name, row-major */
  constructor(
    private readonly config: Qwen3VLConfig,
    private readonly weights: ReadonlyMap<string, Float32Array>,
  ) {}

  dispose(): void {
    for (const tensor of this.tensors.values()) tensor.dispose();
    this.tensors.clear();
  }

  /** Vision tower with mergers, image by image. Leaves intermediate tensors: call it inside tf.tidy. */
  vision(pixelValues: Float32Array, grids: readonly Grid[], adapter?: OracleAdapter): OracleVision {
    const { inChannels, temporalPatchSize, patchSize, deepstackVisualIndexes } = this.config;
    const patchValues = inChannels * temporalPatchSize * patchSize ** 2;
    const images: OracleVision[] = [];
    let first = 0;
    for (const grid of grids) {
      const count = grid[0] * grid[1] * grid[2];
      images.push(this.image(tf.tensor2d(pixelValues.subarray(first * patchValues, (first + count) * patchValues), [count, patchValues]), grid, adapter));
      first += count;
    }
    const together = (parts: tf.Tensor2D[]) => (parts.length === 1 ? parts[0] : tf.concat2d(parts, 0));
    return {
      merged: together(images.map((image) => image.merged)),
      deepstack: deepstackVisualIndexes.map((_, i) => together(images.map((image) => image.deepstack[i]))),
    };
  }

  /** Hidden states [S, hidden] after the final norm. Leaves intermediate tensors: call it inside tf.tidy. */
  hidden(sample: OracleSample, adapter?: OracleAdapter): tf.Tensor2D {
    const { config } = this;
    const vision = sample.grids.length > 0 ? this.vision(sample.pixelValues, sample.grids, adapter) : null;
    let x: tf.Tensor2D = tf.gather(this.matrix('model.language_model.embed_tokens.weight', config.hiddenSize), tf.tensor1d([...sample.inputIds], 'int32'));
    if (vision) x = this.atImageRows(sample.inputIds, vision.merged, (start, end) => tf.slice2d(x, [start, 0], [end - start, -1]));
    const angles = textAngles(sample.positionIds, config);
    const length = sample.inputIds.length;
    const mask = tf.tensor2d(Float32Array.from({ length: length ** 2 }, (_, i) => (i % length > Math.floor(i / length) ? -1e30 : 0)), [length, length]);
    for (let layer = 0; layer < config.numHiddenLayers; layer++) {
      x = this.decoderLayer(x, layer, angles, mask, adapter);
      if (vision && layer < vision.deepstack.length) {
        x = tf.add(x, this.atImageRows(sample.inputIds, vision.deepstack[layer], (start, end) => tf.zeros([end - start, config.hiddenSize])));
      }
    }
    return this.rmsNorm(x, 'model.language_model.norm.weight');
  }

  /** Logits [S, vocabulary]. */
  logits(sample: OracleSample, adapter?: OracleAdapter): tf.Tensor2D {
    return tf.tidy(() => {
      const head = this.config.tieWordEmbeddings ? 'model.language_model.embed_tokens.weight' : 'lm_head.weight';
      return tf.matMul(this.hidden(sample, adapter), this.matrix(head, this.config.hiddenSize), false, true);
    });
  }

  /** Mean of −log p over all targets of all samples; the target of row t is the label of row t + 1. */
  loss(samples: readonly OracleSample[], adapter?: OracleAdapter): tf.Scalar {
    const targetsOf = (sample: OracleSample) => sample.inputIds.map((_, t) => sample.labels?.[t + 1] ?? IGNORED);
    const count = samples.reduce((sum, sample) => sum + targetsOf(sample).filter((target) => target !== IGNORED).length, 0);
    return tf.tidy(() => {
      const parts = samples.map((sample): tf.Scalar => {
        const targets = targetsOf(sample);
        const oneHot = tf.oneHot(tf.tensor1d(targets.map((target) => Math.max(target, 0)), 'int32'), this.config.vocabSize);
        const weights = tf.tensor1d(targets.map((target) => (target === IGNORED ? 0 : -1 / count)), 'float32');
        const own = tf.sum(tf.mul(tf.logSoftmax(this.logits(sample, adapter)), tf.cast(oneHot, 'float32')), 1);
        return tf.sum(tf.mul(own, weights));
      });
      return parts.reduce((a, b) => tf.add(a, b));
    });
  }

  /** Loss and gradients on one tape over everything. */
  async lossAndGradients(samples: readonly OracleSample[], adapter: OracleAdapter): Promise<OracleGradients> {
    const modules = [...adapter.factors.keys()];
    const inputs = modules.flatMap((module) => [adapter.factors.get(module)!.a, adapter.factors.get(module)!.b]);
    const { value, grads } = tf.valueAndGrads((...tensors: tf.Tensor[]) => {
      const factors = new Map(modules.map((module, i) => [module, { a: tensors[2 * i] as tf.Tensor2D, b: tensors[2 * i + 1] as tf.Tensor2D }]));
      return this.loss(samples, { factors, scale: adapter.scale });
    })(inputs);
    const gradients = new Map<string, Float32Array>();
    for (const [i, gradient] of grads.entries()) {
      gradients.set(`${modules[i >> 1]}.lora_${i % 2 === 0 ? 'A' : 'B'}.weight`, (await gradient.data()) as Float32Array);
    }
    const loss = (await value.data())[0];
    value.dispose();
    tf.dispose(grads);
    return { loss, gradients };
  }

  private image(patches: tf.Tensor2D, grid: Grid, adapter?: OracleAdapter): OracleVision {
    const { config } = this;
    const size = config.visionHiddenSize;
    let x = this.linear(patches, 'model.visual.patch_embed.proj', adapter);
    const order = mergeOrder(grid, config.spatialMergeSize);
    const table = this.matrix('model.visual.pos_embed.weight', size);
    for (const corner of interpolation(order, grid, config.positionGridSize)) {
      x = tf.add(x, tf.mul(tf.gather(table, tf.tensor1d(corner.index, 'int32')), tf.tensor2d(corner.share, [order.length, 1])));
    }
    const angles = visionAngles(order, config.visionHeadDim);
    const deepstack: tf.Tensor2D[] = [];
    for (let i = 0; i < config.visionDepth; i++) {
      const block = `model.visual.blocks.${i}`;
      const normed = this.layerNorm(x, `${block}.norm1`);
      const [q, k, v] = tf.split(this.linear(normed, `${block}.attn.qkv`, adapter), 3, 1) as [tf.Tensor2D, tf.Tensor2D, tf.Tensor2D];
      const heads = (t: tf.Tensor2D) => splitHeads(t, config.visionNumHeads);
      const mixed = attend(rotate(heads(q), angles), rotate(heads(k), angles), heads(v), null);
      x = tf.add(x, this.linear(mixed, `${block}.attn.proj`, adapter));
      const inner = geluTanh(this.linear(this.layerNorm(x, `${block}.norm2`), `${block}.mlp.linear_fc1`, adapter));
      x = tf.add(x, this.linear(inner, `${block}.mlp.linear_fc2`, adapter));
      const at = config.deepstackVisualIndexes.indexOf(i);
      if (at >= 0) {
        const name = `model.visual.deepstack_merger_list.${at}`;
        deepstack.push(this.merge(this.layerNorm(this.concatBlocks(x), `${name}.norm`), name, adapter));
      }
    }
    return { merged: this.merge(this.concatBlocks(this.layerNorm(x, 'model.visual.merger.norm')), 'model.visual.merger', adapter), deepstack };
  }

  /** The patches of a merge block follow each other: side by side they are one row. */
  private concatBlocks(x: tf.Tensor2D): tf.Tensor2D {
    return tf.reshape(x, [-1, x.shape[1] * this.config.spatialMergeSize ** 2]);
  }

  private merge(x: tf.Tensor2D, name: string, adapter?: OracleAdapter): tf.Tensor2D {
    return this.linear(geluExact(this.linear(x, `${name}.linear_fc1`, adapter)), `${name}.linear_fc2`, adapter);
  }

  /** One layer on one sequence. Leaves intermediate tensors: call it inside tf.tidy. */
  decoderLayer(x: tf.Tensor2D, index: number, angles: Float64Array, mask: tf.Tensor2D, adapter?: OracleAdapter): tf.Tensor2D {
    const { numAttentionHeads, numKeyValueHeads } = this.config;
    const layer = `model.language_model.layers.${index}`;
    const normed = this.rmsNorm(x, `${layer}.input_layernorm.weight`);
    const project = (name: string, heads: number) => splitHeads(this.linear(normed, `${layer}.self_attn.${name}_proj`, adapter), heads);
    const q = rotate(this.rmsNorm(project('q', numAttentionHeads), `${layer}.self_attn.q_norm.weight`), angles);
    const k = rotate(this.rmsNorm(project('k', numKeyValueHeads), `${layer}.self_attn.k_norm.weight`), angles);
    const mixed = attend(q, k, project('v', numKeyValueHeads), mask);
    x = tf.add(x, this.linear(mixed, `${layer}.self_attn.o_proj`, adapter));
    const inner = this.rmsNorm(x, `${layer}.post_attention_layernorm.weight`);
    const gate = this.linear(inner, `${layer}.mlp.gate_proj`, adapter);
    const up = this.linear(inner, `${layer}.mlp.up_proj`, adapter);
    return tf.add(x, this.linear(tf.mul(tf.mul(gate, tf.sigmoid(gate)), up), `${layer}.mlp.down_proj`, adapter));
  }

  /** x Wᵀ + b + scale · (x Aᵀ) Bᵀ, with bias and adapter where the module has them. */
  private linear(x: tf.Tensor2D, name: string, adapter?: OracleAdapter): tf.Tensor2D {
    let y: tf.Tensor2D = tf.matMul(x, this.matrix(`${name}.weight`, x.shape[1]), false, true);
    if (this.weights.has(`${name}.bias`)) y = tf.add(y, this.vector(`${name}.bias`));
    const factors = adapter?.factors.get(name);
    if (!factors) return y;
    return tf.add(y, tf.mul(tf.matMul(tf.matMul(x, factors.a, false, true), factors.b, false, true), adapter!.scale));
  }

  private rmsNorm<T extends tf.Tensor>(x: T, name: string): T {
    const scale = tf.rsqrt(tf.add(tf.mean(tf.square(x), -1, true), this.config.rmsNormEps));
    return tf.mul(tf.mul(x, scale), this.vector(name));
  }

  private layerNorm(x: tf.Tensor2D, name: string): tf.Tensor2D {
    const centered = tf.sub(x, tf.mean(x, -1, true));
    const scale = tf.rsqrt(tf.add(tf.mean(tf.square(centered), -1, true), VISION_EPS));
    return tf.add(tf.mul(tf.mul(centered, scale), this.vector(`${name}.weight`)), this.vector(`${name}.bias`));
  }

  /** [S, …] whose image rows are the features in order and whose other runs of rows come from `between`. */
  private atImageRows(inputIds: readonly number[], features: tf.Tensor2D, between: (start: number, end: number) => tf.Tensor2D): tf.Tensor2D {
    const parts: tf.Tensor2D[] = [];
    let used = 0;
    for (let start = 0, end = 0; start < inputIds.length; start = end) {
      const isImage = inputIds[start] === this.config.imageTokenId;
      while (end < inputIds.length && (inputIds[end] === this.config.imageTokenId) === isImage) end++;
      parts.push(isImage ? tf.slice2d(features, [used, 0], [end - start, -1]) : between(start, end));
      if (isImage) used += end - start;
    }
    if (used !== features.shape[0]) throw new Error(`${features.shape[0]} image features for ${used} image tokens`);
    return tf.concat2d(parts, 0);
  }

  private matrix(name: string, columns: number): tf.Tensor2D {
    return this.tensor(name, (values) => tf.tensor2d(values, [values.length / columns, columns]));
  }

  private vector(name: string): tf.Tensor1D {
    return this.tensor(name, (values) => tf.tensor1d(values));
  }

  private tensor<T extends tf.Tensor>(name: string, make: (values: Float32Array) => T): T {
    let tensor = this.tensors.get(name);
    if (!tensor) {
      const values = this.weights.get(name);
      if (!values) throw new Error(`the checkpoint has no tensor ${name}`);
      tensor = tf.keep(make(values));
      this.tensors.set(name, tensor);
    }
    return tensor as T;
  }
}

/** [S, heads · D] -> [heads, S, D] */
function splitHeads(x: tf.Tensor2D, heads: number): tf.Tensor3D {
  return tf.transpose(tf.reshape(x, [x.shape[0], heads, x.shape[1] / heads]), [1, 0, 2]);
}

/** Turns pairs (i, i + D/2) of [heads, S, D] by angles [S, D/2]. */
function rotate(x: tf.Tensor3D, angles: Float64Array): tf.Tensor3D {
  const [first, second] = tf.split(x, 2, 2) as [tf.Tensor3D, tf.Tensor3D];
  const shape: [number, number] = [x.shape[1], x.shape[2] / 2];
  const cos = tf.tensor2d(Float32Array.from(angles, Math.cos), shape);
  const sin = tf.tensor2d(Float32Array.from(angles, Math.sin), shape);
  const turned: tf.Tensor3D = tf.sub(tf.mul(first, cos), tf.mul(second, sin));
  const partner: tf.Tensor3D = tf.add(tf.mul(second, cos), tf.mul(first, sin));
  return tf.concat3d([turned, partner], 2);
}

/** Grouped-query attention: q [heads, S, D], k and v [kvHeads, S, D] -> [S, heads · D]. `mask` [S, S] is added to the scores. */
function attend(q: tf.Tensor3D, k: tf.Tensor3D, v: tf.Tensor3D, mask: tf.Tensor2D | null): tf.Tensor2D {
  const [heads, length, size] = q.shape;
  const kvHeads = k.shape[0];
  const group = heads / kvHeads;
  const scores = tf.mul(tf.matMul(tf.reshape(q, [kvHeads, group * length, size]), k, false, true), 1 / Math.sqrt(size));
  const square = tf.reshape(scores, [heads, length, length]);
  const probabilities = tf.softmax(mask ? tf.add(square, mask) : square);
  const mixed = tf.matMul(tf.reshape(probabilities, [kvHeads, group * length, length]), v);
  return tf.reshape(tf.transpose(tf.reshape(mixed, [heads, length, size]), [1, 0, 2]), [length, heads * size]);
}

function geluTanh(x: tf.Tensor2D): tf.Tensor2D {
  const inner = tf.mul(tf.add(x, tf.mul(tf.mul(tf.square(x), x), 0.044715)), Math.sqrt(2 / Math.PI));
  return tf.mul(tf.mul(x, 0.5), tf.add(tf.tanh(inner), 1));
}

function geluExact(x: tf.Tensor2D): tf.Tensor2D {
  return tf.mul(tf.mul(x, 0.5), tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1));
}
