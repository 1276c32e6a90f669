/** Qwen3-VL on the GPU: forward passes and the block-by-block backward pass. */
import type * as tf from '@tensorflow/tfjs';
import type { Qwen3VLConfig } from '../families/qwen3-vl/config.ts';
import type { Architecture } from '../families/architecture.ts';
import type { Gpu } from '../gpu/gpu.ts';
import { embeddingLookup, type GpuTable } from '../kernels/embedding.ts';
import { tokenLogProbs, weightedSum, type LogProbOptions } from '../kernels/log-probs.ts';
import { normBackward, normForward, type NormWeights } from '../kernels/norm.ts';
import { gatherRows, scatterAddRows, scatterRows } from '../kernels/rows.ts';
import type { PackedBatch } from '../processing/types.ts';
import type { AdapterWeights } from './adapter-weights.ts';
import { free } from './free.ts';
import type { PassContext } from './linear-group.ts';
import { textRotary } from './positions.ts';
import { disposeTextSaved, type SequenceContext, type TextLayer, type TextLayerSaved } from './text-layer.ts';
import type { ActivationProbe, VisionTape, VisionTower } from './vision-tower.ts';

/** Everything frozen. */
export interface Qwen3VLWeights {
  embedding: GpuTable;
  vision: VisionTower;
  layers: readonly TextLayer[];
  finalNorm: NormWeights;
  /** The embedding itself when tied. */
  head: GpuTable;
}

export interface BackwardPlan {
  /** Recompute each layer in the backward pass instead of keeping its activations. */
  gradientCheckpointing: boolean;
  /** Lowest decoder layer with an adapter; the number of layers when there is none. */
  firstAdaptedLayer: number;
  /** Whether the vision tower has adapters. */
  visionAdapted: boolean;
}

/** A batch's tensors on the GPU. */
interface BatchTensors {
  sequence: SequenceContext;
  visionRows: tf.Tensor | null;
  targetRows: tf.Tensor;
  targetIds: tf.Tensor;
}

/** State of a forward pass that will be differentiated. */
interface TextTape {
  /** Input of each layer from the first adapted one on; null below it. */
  inputs: (tf.Tensor | null)[];
  saved: (TextLayerSaved | null)[];
  output: tf.Tensor;
  vision: VisionTape | null;
}

/** A forward pass with its tape: end it with either `backward` or `abandon`, which free everything. */
export interface DifferentiablePass {
  /** −log p of each target [L]. */
  nll: tf.Tensor;
  /** [L, 4] with statistics, else null. */
  scores: tf.Tensor | null;
  /** Adds the gradient of Σ rowWeights · nll to the adapter's gradient buffer. */
  backward: (rowWeights: tf.Tensor) => void;
  abandon: () => void;
}

/** Sees each decoder layer's keys (after rotation) and values, [rows, kvHeads · headDim], before they are freed. */
export type KeyValueSink = (layer: number, keys: tf.Tensor, values: tf.Tensor) => void;

export class Qwen3VL {
  constructor(
    readonly gpu: Gpu,
    readonly architecture: Architecture<Qwen3VLConfig>,
    readonly weights: Qwen3VLWeights,
    /** Everything `weights` lies in. */
    private readonly buffers: readonly GPUBuffer[],
  ) {}

  get config(): Qwen3VLConfig {
    return this.architecture.config;
  }

  /** Gives the weights' memory back. */
  dispose(): void {
    for (const buffer of this.buffers) this.gpu.destroyBuffer(buffer);
  }

  /**
   * Loss and adapter gradients of one batch: adds ∂(Σ rowWeights · nll) to the adapter's gradient buffer.
   * @returns the loss as a tensor of one number
   */
  forwardBackward(context: PassContext, batch: PackedBatch, rowWeights: Float32Array, plan: BackwardPlan): tf.Tensor {
    const pass = this.differentiable(context, batch, plan);
    const rowWeight = this.gpu.upload(rowWeights, [rowWeights.length]);
    const loss = weightedSum(this.gpu, pass.nll, rowWeight);
    pass.backward(rowWeight);
    rowWeight.dispose();
    return loss;
  }

  /**
   * A forward pass that waits for the weights of its targets.
   * @param options statistics: `scores` of the targets, see tokenLogProbs
   */
  differentiable(context: PassContext, batch: PackedBatch, plan: BackwardPlan, options: LogProbOptions = {}): DifferentiablePass {
    const { gpu, weights } = this;
    const tensors = this.upload(batch);
    const tape = this.forwardTape(context, batch, tensors, plan);
    const hidden = gatherRows(gpu, tape.output, tensors.targetRows);
    const normed = normForward(gpu, hidden, weights.finalNorm);
    const logProbs = tokenLogProbs(gpu, normed, weights.head, tensors.targetIds, options);
    return {
      nll: logProbs.nll,
      scores: logProbs.scores,
      backward: (rowWeights) => {
        const dNormed = logProbs.backward(rowWeights);
        logProbs.dispose();
        const dHidden = normBackward(gpu, hidden, weights.finalNorm, dNormed);
        const dy = gpu.zeros(tape.output.shape);
        scatterRows(gpu, dHidden, tensors.targetRows, dy);
        free(hidden, normed, dNormed, dHidden);
        this.backwardTape(context, tensors, tape, dy, plan);
        this.release(tensors);
      },
      abandon: () => {
        logProbs.dispose();
        free(hidden, normed, tape.output, ...tape.inputs);
        for (const saved of tape.saved) if (saved) disposeTextSaved(saved);
        if (tape.vision) weights.vision.disposeTape(tape.vision);
        this.release(tensors);
      },
    };
  }

  /** −log p of each target [L], without gradient. */
  tokenNll(context: PassContext, batch: PackedBatch): tf.Tensor {
    return this.score(context, batch, {}).nll;
  }

  /**
   * Scores of each target without gradient, [L, 4] as tokenLogProbs lays them out.
   * @param temperature logits are divided by it before the softmax
   */
  tokenScores(context: PassContext, batch: PackedBatch, temperature: number): tf.Tensor {
    const { nll, scores } = this.score(context, batch, { temperature, statistics: true });
    nll.dispose();
    return scores!;
  }

  private score(context: PassContext, batch: PackedBatch, options: LogProbOptions): { nll: tf.Tensor; scores: tf.Tensor | null } {
    const { gpu, weights } = this;
    const tensors = this.upload(batch);
    const output = this.forward(context, batch, tensors);
    const hidden = gatherRows(gpu, output, tensors.targetRows);
    const normed = normForward(gpu, hidden, weights.finalNorm);
    const logProbs = tokenLogProbs(gpu, normed, weights.head, tensors.targetIds, options);
    const kept = { nll: logProbs.nll.clone(), scores: logProbs.scores?.clone() ?? null };
    logProbs.dispose();
    free(output, hidden, normed);
    this.release(tensors);
    return kept;
  }

  /**
   * Final-norm output of every row [rows, hidden].
   * @param sink receives keys and values for a cache
   * @param probe receives the activations that golden tests compare
   */
  hiddenStates(context: PassContext, batch: PackedBatch, sink?: KeyValueSink, probe?: ActivationProbe): tf.Tensor {
    const tensors = this.upload(batch);
    const output = this.forward(context, batch, tensors, sink, probe);
    const normed = normForward(this.gpu, output, this.weights.finalNorm);
    probe?.('text.final_norm', normed);
    output.dispose();
    this.release(tensors);
    return normed;
  }

  private upload(batch: PackedBatch): BatchTensors {
    const { gpu, config } = this;
    const { rowCount } = batch;
    const { cos, sin } = textRotary(config, batch.positionIds, rowCount);
    const shape = [rowCount, config.headDim / 2];
    return {
      sequence: { bounds: gpu.upload(batch.bounds, [rowCount, 2]), rotary: { cos: gpu.upload(cos, shape), sin: gpu.upload(sin, shape) } },
      visionRows: batch.visionRows.length > 0 ? gpu.upload(batch.visionRows, [batch.visionRows.length]) : null,
      targetRows: gpu.upload(batch.targetRows, [batch.targetRows.length]),
      targetIds: gpu.upload(batch.targetIds, [batch.targetIds.length]),
    };
  }

  private release({ sequence, visionRows, targetRows, targetIds }: BatchTensors): void {
    free(sequence.bounds, sequence.rotary.cos, sequence.rotary.sin, visionRows, targetRows, targetIds);
  }

  /** Token embeddings with image features in their rows, and the deepstack features. */
  private embed(context: PassContext, batch: PackedBatch, tensors: BatchTensors, keepVision: 'nothing' | 'inputs' | 'all', probe?: ActivationProbe): { x: tf.Tensor; deepstack: tf.Tensor[]; tape: VisionTape | null } {
    const { gpu, weights } = this;
    const ids = gpu.upload(batch.inputIds, [batch.rowCount]);
    const x = embeddingLookup(gpu, weights.embedding, ids);
    ids.dispose();
    if (!tensors.visionRows) return { x, deepstack: [], tape: null };
    const { features, tape } = weights.vision.forward(context, batch.pixelValues, batch.grids, keepVision, probe);
    scatterRows(gpu, features.merged, tensors.visionRows, x);
    features.merged.dispose();
    return { x, deepstack: features.deepstack, tape };
  }

  private forward(context: PassContext, batch: PackedBatch, tensors: BatchTensors, sink?: KeyValueSink, probe?: ActivationProbe): tf.Tensor {
    const { layers } = this.weights;
    const { x: embedded, deepstack } = this.embed(context, batch, tensors, 'nothing', probe);
    let x = embedded;
    layers.forEach((layer, i) => {
      probe?.(`text.layer_in.${i}`, x);
      const { y, saved } = layer.forward(context, tensors.sequence, x);
      sink?.(i, saved.kRotated, saved.v);
      disposeTextSaved(saved);
      x.dispose();
      x = y;
      if (i === layers.length - 1) probe?.('text.last_layer_out', x);
      if (deepstack[i]) scatterAddRows(this.gpu, deepstack[i], tensors.visionRows!, x);
    });
    free(...deepstack);
    return x;
  }

  private forwardTape(context: PassContext, batch: PackedBatch, tensors: BatchTensors, plan: BackwardPlan): TextTape {
    const { layers } = this.weights;
    const keepVision = !plan.visionAdapted ? 'nothing' : plan.gradientCheckpointing ? 'inputs' : 'all';
    const { x: embedded, deepstack, tape: vision } = this.embed(context, batch, tensors, keepVision);
    const lowest = plan.visionAdapted ? 0 : plan.firstAdaptedLayer;
    const inputs: (tf.Tensor | null)[] = [];
    const kept: (TextLayerSaved | null)[] = [];
    let x = embedded;
    layers.forEach((layer, i) => {
      const { y, saved } = layer.forward(context, tensors.sequence, x);
      const differentiated = i >= lowest;
      if (plan.gradientCheckpointing || !differentiated) disposeTextSaved(saved);
      kept.push(plan.gradientCheckpointing || !differentiated ? null : saved);
      inputs.push(differentiated ? x : null);
      if (!differentiated) x.dispose();
      x = y;
      if (deepstack[i]) scatterAddRows(this.gpu, deepstack[i], tensors.visionRows!, x);
    });
    free(...deepstack);
    return { inputs, saved: kept, output: x, vision };
  }

  /** Walks the layers from the end; disposes the tape and dOutput. */
  private backwardTape(context: PassContext, tensors: BatchTensors, tape: TextTape, dOutput: tf.Tensor, plan: BackwardPlan): void {
    const { gpu, weights } = this;
    const lowest = plan.visionAdapted ? 0 : plan.firstAdaptedLayer;
    const dDeepstack: tf.Tensor[] = [];
    let dy: tf.Tensor | null = dOutput;
    tape.output.dispose();
    for (let i = weights.layers.length - 1; i >= lowest; i--) {
      const layer = weights.layers[i];
      const x = tape.inputs[i]!;
      if (tape.vision && i < this.config.deepstackVisualIndexes.length) dDeepstack[i] = gatherRows(gpu, dy!, tensors.visionRows!);
      let saved = tape.saved[i];
      if (!saved) {
        const again = layer.forward(context, tensors.sequence, x);
        again.y.dispose();
        saved = again.saved;
      }
      const dx = layer.backward(context, tensors.sequence, x, saved, dy!, i > lowest || plan.visionAdapted);
      free(dy, x);
      dy = dx;
    }
    if (tape.vision && dy) {
      const dMerged = gatherRows(gpu, dy, tensors.visionRows!);
      weights.vision.backward(context, tape.vision, dMerged, dDeepstack);
      dMerged.dispose();
    }
    free(dy, ...dDeepstack);
  }
}

/** Contexts of a pass: with the adapter in training, with it but without dropout, or without it. */
export function passContext(gpu: Gpu, adapter: AdapterWeights | null, dropoutStep: number | null): PassContext {
  const p = adapter?.options.loraDropout ?? 0;
  return { gpu, adapter, dropout: adapter && dropoutStep !== null && p > 0 ? { p, seed: adapter.options.seed, step: dropoutStep } : null };
}
