/** A vision-language model on the GPU: forward passes and the block-by-block backward pass. Knows layers, not families. */
import type * as tf from '@tensorflow/tfjs';
import type { Architecture, ModelConfig } from '../families/architecture.ts';
import type { Gpu } from '../gpu/gpu.ts';
import { embeddingLookup, type GpuTable } from '../kernels/embedding.ts';
import { weightedSum, type LogProbOptions } from '../kernels/log-probs.ts';
import { normBackward, normForward, type NormWeights } from '../kernels/norm.ts';
import { planDeltaBatch } from '../kernels/delta-batch.ts';
import type { RotaryTables } from '../kernels/rotary.ts';
import { planRowSums, scatterRowSums, type RowSums } from '../kernels/row-sums.ts';
import { gatherRows, scatterAddRows, scatterRows } from '../kernels/rows.ts';
import { sampleLengths } from '../processing/slice-batch.ts';
import type { PackedBatch } from '../processing/types.ts';
import { invariant } from '../protocol/errors.ts';
import type { DecoderLayer, DecoderLayerSaved } from './parts/decoder-layer.ts';
import { free } from './parts/free.ts';
import type { Head } from './parts/head.ts';
import type { LayerState, SequenceState } from './parts/layer-state.ts';
import type { PassContext } from './parts/pass-context.ts';
import { textRotary, type TextRotary } from './parts/rotary-tables.ts';
import type { DecodeStep, TextSequence } from './parts/sequence.ts';
import type { ActivationProbe, VisionFeatures, VisionTape, VisionTower } from './parts/vision-tower.ts';

/** What a family's builder puts together; everything in it is frozen. */
export interface ModelParts {
  embedding: GpuTable;
  vision: VisionTower;
  layers: readonly DecoderLayer[];
  finalNorm: NormWeights;
  /** The embedding itself when tied. */
  head: Head;
  rotary: TextRotary;
  /** Some layers carry a state along each sample. */
  recurrent: boolean;
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
  sequence: TextSequence;
  visionRows: tf.Tensor | null;
  targetRows: tf.Tensor;
  targetIds: tf.Tensor;
  /** How gradients of the targets' rows add up; null where every target has a row of its own. */
  targetSums: RowSums | null;
}

/** State of a forward pass that will be differentiated. */
interface TextTape {
  /** Input of each layer from the first adapted one on; null below it. */
  inputs: (tf.Tensor | null)[];
  saved: (DecoderLayerSaved | null)[];
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

export class VisionLanguageModel {
  constructor(
    readonly gpu: Gpu,
    readonly architecture: Architecture,
    readonly parts: ModelParts,
    /** Everything `parts` lie in. */
    private readonly buffers: readonly GPUBuffer[],
  ) {}

  get config(): ModelConfig {
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
    const { gpu, parts } = this;
    // Copies of a prompt would each have masks of their own; one copy has only one. The methods that share prompts train without.
    invariant(!batch.prefixes || !context.dropout, 'dropout in a batch of shared prompts');
    const tensors = this.upload(batch);
    const tape = this.forwardTape(context, batch, tensors, plan);
    const hidden = gatherRows(gpu, tape.output, tensors.targetRows);
    const normed = normForward(gpu, hidden, parts.finalNorm);
    const logProbs = parts.head.logProbs(context, normed, tensors.targetIds, options);
    return {
      nll: logProbs.nll,
      scores: logProbs.scores,
      backward: (rowWeights) => {
        const dNormed = logProbs.backward(rowWeights);
        logProbs.dispose();
        const dHidden = normBackward(gpu, hidden, parts.finalNorm, dNormed);
        const dy = gpu.zeros(tape.output.shape);
        if (tensors.targetSums) scatterRowSums(gpu, dHidden, tensors.targetSums, dy);
        else scatterRows(gpu, dHidden, tensors.targetRows, dy);
        free(hidden, normed, dNormed, dHidden);
        this.backwardTape(context, tensors, tape, dy, plan);
        this.release(tensors);
      },
      abandon: () => {
        logProbs.dispose();
        free(hidden, normed, tape.output, ...tape.inputs);
        tape.saved.forEach((saved, i) => saved && parts.layers[i].discard(saved));
        if (tape.vision) parts.vision.disposeTape(tape.vision);
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
    const { gpu, parts } = this;
    const tensors = this.upload(batch);
    const output = this.forward(context, batch, tensors, null);
    const hidden = gatherRows(gpu, output, tensors.targetRows);
    const normed = normForward(gpu, hidden, parts.finalNorm);
    const logProbs = parts.head.logProbs(context, normed, tensors.targetIds, options);
    const kept = { nll: logProbs.nll.clone(), scores: logProbs.scores?.clone() ?? null };
    logProbs.dispose();
    free(output, hidden, normed);
    this.release(tensors);
    return kept;
  }

  /**
   * Final-norm output of every row [rows, hidden].
   * @param probe receives the activations that golden tests compare
   */
  hiddenStates(context: PassContext, batch: PackedBatch, probe?: ActivationProbe): tf.Tensor {
    const tensors = this.upload(batch);
    const output = this.forward(context, batch, tensors, null, probe);
    return this.finish(tensors, output, probe);
  }

  /** What the vision tower makes of a batch's pictures, for several passes; null where there are none. Freed by whoever asked. */
  see(context: PassContext, batch: PackedBatch): VisionFeatures | null {
    if (batch.grids.length === 0) return null;
    return this.parts.vision.forward(context, batch.pixelValues, batch.grids, 'nothing').features;
  }

  /**
   * The same as hiddenStates for prompts, with each layer's state, from which their continuations are forked.
   * @param seen from `see`, where the adapter leaves the vision tower alone; without it the pass looks for itself
   */
  prefill(context: PassContext, batch: PackedBatch, seen: VisionFeatures | null = null): { hidden: tf.Tensor; states: LayerState[] } {
    const tensors = this.upload(batch, true);
    const states: LayerState[] = [];
    const output = this.forward(context, batch, tensors, states, undefined, seen);
    return { hidden: this.finish(tensors, output), states };
  }

  /**
   * State after one more token of each sequence, [sequences, hidden] after the final norm.
   * @param ids int32 [sequences]
   * @param states per layer; they move on
   */
  decode(context: PassContext, step: DecodeStep, ids: tf.Tensor, states: readonly SequenceState[]): tf.Tensor {
    const { gpu, parts } = this;
    let x = embeddingLookup(gpu, parts.embedding, ids);
    parts.layers.forEach((layer, i) => {
      const y = layer.decode(context, step, x, states[i]);
      x.dispose();
      x = y;
    });
    const normed = normForward(gpu, x, parts.finalNorm);
    x.dispose();
    return normed;
  }

  /** Rotary tables of positions, 3 × rows axis by axis. */
  rotaryOf(positionIds: Int32Array, rows: number): RotaryTables {
    const { gpu, parts } = this;
    const { cos, sin } = textRotary(parts.rotary, positionIds, rows);
    const shape = [rows, parts.rotary.dim / 2];
    return { cos: gpu.upload(cos, shape), sin: gpu.upload(sin, shape) };
  }

  private finish(tensors: BatchTensors, output: tf.Tensor, probe?: ActivationProbe): tf.Tensor {
    const normed = normForward(this.gpu, output, this.parts.finalNorm);
    probe?.('text.final_norm', normed);
    output.dispose();
    this.release(tensors);
    return normed;
  }

  private upload(batch: PackedBatch, capturing = false): BatchTensors {
    const { gpu } = this;
    const { rowCount, prefixes } = batch;
    invariant(!prefixes || !this.parts.recurrent, 'a recurrent layer cannot go on from a shared prompt with several answers');
    const lengths = sampleLengths(batch);
    return {
      sequence: {
        bounds: gpu.upload(batch.bounds, [rowCount, 2]),
        prefixes: prefixes && gpu.upload(prefixes, [rowCount, 2]),
        rotary: this.rotaryOf(batch.positionIds, rowCount),
        lengths,
        delta: this.parts.recurrent ? planDeltaBatch(gpu, lengths, rowCount) : null,
        capturing,
      },
      visionRows: batch.visionRows.length > 0 ? gpu.upload(batch.visionRows, [batch.visionRows.length]) : null,
      targetRows: gpu.upload(batch.targetRows, [batch.targetRows.length]),
      targetIds: gpu.upload(batch.targetIds, [batch.targetIds.length]),
      targetSums: prefixes ? planRowSums(gpu, batch.targetRows) : null,
    };
  }

  private release({ sequence, visionRows, targetRows, targetIds, targetSums }: BatchTensors): void {
    const { bounds, prefixes, rotary, delta } = sequence;
    free(bounds, prefixes, rotary.cos, rotary.sin, delta?.tables, visionRows, targetRows, targetIds, targetSums?.index, targetSums?.order, targetSums?.starts);
  }

  /** Token embeddings with image features in their rows, and the deepstack features. */
  private embed(context: PassContext, batch: PackedBatch, tensors: BatchTensors, keepVision: 'nothing' | 'inputs' | 'all', probe?: ActivationProbe, seen: VisionFeatures | null = null): { x: tf.Tensor; deepstack: tf.Tensor[]; tape: VisionTape | null } {
    const { gpu, parts } = this;
    const ids = gpu.upload(batch.inputIds, [batch.rowCount]);
    const x = embeddingLookup(gpu, parts.embedding, ids);
    ids.dispose();
    if (!tensors.visionRows) return { x, deepstack: [], tape: null };
    const { features, tape } = seen ? { features: seen, tape: null } : parts.vision.forward(context, batch.pixelValues, batch.grids, keepVision, probe);
    scatterRows(gpu, features.merged, tensors.visionRows, x);
    if (!seen) features.merged.dispose();
    return { x, deepstack: features.deepstack, tape };
  }

  private forward(context: PassContext, batch: PackedBatch, tensors: BatchTensors, states: LayerState[] | null, probe?: ActivationProbe, seen: VisionFeatures | null = null): tf.Tensor {
    const { layers } = this.parts;
    const { x: embedded, deepstack } = this.embed(context, batch, tensors, 'nothing', probe, seen);
    let x = embedded;
    layers.forEach((layer, i) => {
      probe?.(`text.layer_in.${i}`, x);
      const { y, saved } = layer.forward(context, tensors.sequence, x);
      if (probe) for (const [name, value] of Object.entries(layer.activations(saved))) probe(`${name}.${i}`, value);
      if (states) states.push(layer.capture(context, tensors.sequence, saved));
      else layer.discard(saved);
      x.dispose();
      x = y;
      if (i === layers.length - 1) probe?.('text.last_layer_out', x);
      if (deepstack[i]) scatterAddRows(this.gpu, deepstack[i], tensors.visionRows!, x);
      context.milestone?.();
    });
    if (!seen) free(...deepstack);
    return x;
  }

  private forwardTape(context: PassContext, batch: PackedBatch, tensors: BatchTensors, plan: BackwardPlan): TextTape {
    const { layers } = this.parts;
    const keepVision = !plan.visionAdapted ? 'nothing' : plan.gradientCheckpointing ? 'inputs' : 'all';
    const { x: embedded, deepstack, tape: vision } = this.embed(context, batch, tensors, keepVision);
    const lowest = plan.visionAdapted ? 0 : plan.firstAdaptedLayer;
    const inputs: (tf.Tensor | null)[] = [];
    const kept: (DecoderLayerSaved | null)[] = [];
    let x = embedded;
    layers.forEach((layer, i) => {
      const { y, saved } = layer.forward(context, tensors.sequence, x);
      const differentiated = i >= lowest;
      if (plan.gradientCheckpointing || !differentiated) layer.discard(saved);
      kept.push(plan.gradientCheckpointing || !differentiated ? null : saved);
      inputs.push(differentiated ? x : null);
      if (!differentiated) x.dispose();
      x = y;
      if (deepstack[i]) scatterAddRows(this.gpu, deepstack[i], tensors.visionRows!, x);
      context.milestone?.();
    });
    free(...deepstack);
    return { inputs, saved: kept, output: x, vision };
  }

  /** Walks the layers from the end; disposes the tape and dOutput. */
  private backwardTape(context: PassContext, tensors: BatchTensors, tape: TextTape, dOutput: tf.Tensor, plan: BackwardPlan): void {
    const { gpu, parts } = this;
    const lowest = plan.visionAdapted ? 0 : plan.firstAdaptedLayer;
    const dDeepstack: tf.Tensor[] = [];
    let dy: tf.Tensor | null = dOutput;
    tape.output.dispose();
    for (let i = parts.layers.length - 1; i >= lowest; i--) {
      const layer = parts.layers[i];
      const x = tape.inputs[i]!;
      if (tape.vision && i < parts.vision.deepstackCount) dDeepstack[i] = gatherRows(gpu, dy!, tensors.visionRows!);
      let saved = tape.saved[i];
      if (!saved) {
        const again = layer.forward(context, tensors.sequence, x);
        again.y.dispose();
        saved = again.saved;
      }
      const dx = layer.backward(context, tensors.sequence, x, saved, dy!, i > lowest || plan.visionAdapted);
      free(dy, x);
      dy = dx;
      context.milestone?.();
    }
    if (tape.vision && dy) {
      const dMerged = gatherRows(gpu, dy, tensors.visionRows!);
      parts.vision.backward(context, tape.vision, dMerged, dDeepstack);
      dMerged.dispose();
    }
    free(dy, ...dDeepstack);
  }
}
