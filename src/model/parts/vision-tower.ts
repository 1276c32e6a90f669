/** A vision tower: patches to language-model tokens, with deepstack features from inner blocks where the family has them. */
import type * as tf from '@tensorflow/tfjs';
import type { GridTHW } from '../../families/media.ts';
import { addInterpolatedRows } from '../../kernels/embedding.ts';
import { matmulForward, viewOf, type GpuWeight } from '../../kernels/matmul.ts';
import { gatherRows, scatterRows } from '../../kernels/rows.ts';
import { free } from './free.ts';
import type { PassContext } from './pass-context.ts';
import type { PatchMerger, PatchMergerSaved } from './patch-merger.ts';
import { visionRotary } from './rotary-tables.ts';
import type { SequenceContext } from './sequence.ts';
import type { VisionBlock, VisionBlockSaved } from './vision-block.ts';
import { interpolatedPositions, patchBounds } from './vision-grid.ts';

export interface VisionWeights {
  patchEmbed: GpuWeight;
  patchBias?: GPUBuffer;
  /** Learned positions, a square grid; null where rotary positions are all there is. */
  positions: GpuWeight | null;
  blocks: readonly VisionBlock[];
  merger: PatchMerger;
  /** After the blocks named by deepstackIndexes, in that order. */
  deepstackMergers: readonly PatchMerger[];
}

/** Attention within windows: rows are put into window order before the first block and back after the merger. */
export interface VisionWindows {
  /** Blocks that attend to the whole picture. */
  fullBlocks: ReadonlySet<number>;
  /** For merged tokens: which one stands at each place in window order, and patch bounds of the windows, interleaved as patchBounds has them. */
  order(grids: readonly GridTHW[]): { order: Int32Array<ArrayBuffer>; bounds: Int32Array<ArrayBuffer> };
}

export interface VisionShape {
  headDim: number;
  spatialMergeSize: number;
  /** Blocks whose output is added after the first text layers, in that order. */
  deepstackIndexes: readonly number[];
  windows: VisionWindows | null;
}

export interface VisionFeatures {
  /** [image tokens, text hidden] */
  merged: tf.Tensor;
  deepstack: tf.Tensor[];
}

/** The patches of a pass. */
interface PatchSequence {
  rotary: SequenceContext['rotary'];
  /** Bounds of each patch's picture, and of its window. */
  frames: tf.Tensor;
  windows: tf.Tensor | null;
  /** Merged tokens in window order, int32. */
  order: tf.Tensor | null;
}

/** State between a forward pass that will be differentiated and its backward pass. */
export interface VisionTape {
  sequence: PatchSequence;
  /** Input of each block, and the output of the last. */
  states: tf.Tensor[];
  /** Kept when not recomputing. */
  blocks: (VisionBlockSaved | null)[];
  merger: PatchMergerSaved;
  deepstack: PatchMergerSaved[];
}

/** Receives the activations that golden tests compare. */
export type ActivationProbe = (name: string, value: tf.Tensor) => void;

export class VisionTower {
  constructor(
    private readonly shape: VisionShape,
    private readonly weights: VisionWeights,
  ) {}

  /** Features that are added after the first decoder layers. */
  get deepstackCount(): number {
    return this.shape.deepstackIndexes.length;
  }

  /**
   * @param pixelValues patches × (channels · temporal · patch²)
   * @param keep 'nothing' frees everything at once, 'inputs' keeps block inputs, 'all' keeps what backward needs
   */
  forward(context: PassContext, pixelValues: Float32Array, grids: readonly GridTHW[], keep: 'nothing' | 'inputs' | 'all', probe?: ActivationProbe): { features: VisionFeatures; tape: VisionTape | null } {
    const sequence = this.sequence(context, grids);
    let x = this.embed(context, pixelValues, grids, sequence, probe);
    const states: tf.Tensor[] = [];
    const blocks: (VisionBlockSaved | null)[] = [];
    const deepstack: tf.Tensor[] = [];
    const deepstackSaved: PatchMergerSaved[] = [];
    this.weights.blocks.forEach((block, i) => {
      probe?.(`vision.block_in.${i}`, x);
      const { y, saved } = block.forward(context, this.contextOf(sequence, i), x);
      if (keep !== 'all') block.discard(saved);
      blocks.push(keep === 'all' ? saved : null);
      if (keep === 'nothing') x.dispose();
      else states.push(x);
      x = y;
      context.milestone?.();
      const at = this.shape.deepstackIndexes.indexOf(i);
      if (at >= 0) {
        const merger = this.weights.deepstackMergers[at];
        const merged = merger.forward(context, x);
        probe?.(`vision.deepstack.${at}`, merged.y);
        deepstack[at] = merged.y;
        if (keep === 'nothing') merger.discard(merged.saved);
        else deepstackSaved[at] = merged.saved;
      }
    });
    probe?.('vision.last_block_out', x);
    const { y, saved } = this.weights.merger.forward(context, x);
    const merged = this.inReadingOrder(context, sequence, y);
    probe?.('vision.merged', merged);
    const features = { merged, deepstack };
    if (keep !== 'nothing') return { features, tape: { sequence, states: [...states, x], blocks, merger: saved, deepstack: deepstackSaved } };
    this.weights.merger.discard(saved);
    x.dispose();
    release(sequence);
    return { features, tape: null };
  }

  /** Adds the gradients of adapters in the tower. Disposes the tape, not the gradients given. */
  backward(context: PassContext, tape: VisionTape, dMerged: tf.Tensor, dDeepstack: readonly tf.Tensor[]): void {
    const { sequence, states } = tape;
    const { blocks, merger, deepstackMergers } = this.weights;
    const dOrdered = sequence.order ? gatherRows(context.gpu, dMerged, sequence.order) : dMerged;
    let dx = merger.backward(context, states[blocks.length], tape.merger, dOrdered, blocks.length > 0, undefined);
    if (dOrdered !== dMerged) dOrdered.dispose();
    for (let i = blocks.length - 1; i >= 0; i--) {
      const at = this.shape.deepstackIndexes.indexOf(i);
      if (at >= 0) {
        const joined = deepstackMergers[at].backward(context, states[i + 1], tape.deepstack[at], dDeepstack[at], true, dx!);
        free(dx);
        dx = joined;
      }
      const patches = this.contextOf(sequence, i);
      const saved = tape.blocks[i] ?? this.recompute(context, patches, blocks[i], states[i]);
      const below = blocks[i].backward(context, patches, states[i], saved, dx!, i > 0);
      free(dx, states[i + 1]);
      dx = below;
      context.milestone?.();
    }
    free(dx, states[0]);
    release(sequence);
  }

  /** Frees a tape that no backward pass will use. */
  disposeTape({ sequence, states, blocks, merger, deepstack }: VisionTape): void {
    blocks.forEach((saved, i) => saved && this.weights.blocks[i].discard(saved));
    this.weights.merger.discard(merger);
    deepstack.forEach((saved, i) => this.weights.deepstackMergers[i].discard(saved));
    free(...states);
    release(sequence);
  }

  /** Patch projections with learned positions, in window order where there are windows. */
  private embed({ gpu }: PassContext, pixelValues: Float32Array, grids: readonly GridTHW[], { order }: PatchSequence, probe?: ActivationProbe): tf.Tensor {
    const { patchEmbed, patchBias, positions } = this.weights;
    const patches = pixelValues.length / patchEmbed.cols;
    const pixels = gpu.upload(pixelValues, [patches, patchEmbed.cols]);
    const x = gpu.empty([patches, patchEmbed.rows]);
    matmulForward(gpu, viewOf(pixels), patches, patchEmbed, viewOf(x), { bias: patchBias });
    pixels.dispose();
    probe?.('vision.patch_embed', x);
    if (positions) {
      const { indices, shares } = interpolatedPositions(Math.sqrt(positions.rows), this.shape.spatialMergeSize, grids);
      const index = gpu.upload(indices, [indices.length / 4, 4]);
      const share = gpu.upload(shares, [indices.length / 4, 4]);
      addInterpolatedRows(gpu, positions, index, share, x);
      free(index, share);
    }
    if (!order) return x;
    const merged = x.reshape([order.size, x.size / order.size]);
    const ordered = gatherRows(gpu, merged, order);
    const result = ordered.reshape(x.shape);
    free(x, merged, ordered);
    return result;
  }

  /** Merged tokens as they stand in the text; disposes y. */
  private inReadingOrder({ gpu }: PassContext, { order }: PatchSequence, y: tf.Tensor): tf.Tensor {
    if (!order) return y;
    const merged = gpu.empty(y.shape);
    scatterRows(gpu, y, order, merged);
    y.dispose();
    return merged;
  }

  private recompute(context: PassContext, sequence: SequenceContext, block: VisionBlock, x: tf.Tensor): VisionBlockSaved {
    const { y, saved } = block.forward(context, sequence, x);
    y.dispose();
    return saved;
  }

  private contextOf({ rotary, frames, windows }: PatchSequence, block: number): SequenceContext {
    return { rotary, bounds: windows && !this.shape.windows!.fullBlocks.has(block) ? windows : frames };
  }

  private sequence({ gpu }: PassContext, grids: readonly GridTHW[]): PatchSequence {
    const { headDim, spatialMergeSize, windows } = this.shape;
    const bounds = patchBounds(grids);
    const shape = [bounds.length / 2, headDim / 2];
    const frames = gpu.upload(bounds, [bounds.length / 2, 2]);
    const { cos, sin } = visionRotary(headDim, spatialMergeSize, grids);
    if (!windows) return { frames, windows: null, order: null, rotary: { cos: gpu.upload(cos, shape), sin: gpu.upload(sin, shape) } };
    const ordered = windows.order(grids);
    const chunk = spatialMergeSize ** 2 * (headDim / 2);
    const inOrder = (values: Float32Array) => {
      const moved = new Float32Array(values.length);
      ordered.order.forEach((from, to) => moved.set(values.subarray(from * chunk, (from + 1) * chunk), to * chunk));
      return gpu.upload(moved, shape);
    };
    return {
      frames,
      windows: gpu.upload(ordered.bounds, [bounds.length / 2, 2]),
      order: gpu.upload(ordered.order, [ordered.order.length]),
      rotary: { cos: inOrder(cos), sin: inOrder(sin) },
    };
  }
}

function release({ rotary, frames, windows, order }: PatchSequence): void {
  free(rotary.cos, rotary.sin, frames, windows, order);
}
