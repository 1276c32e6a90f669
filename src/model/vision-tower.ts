/** The vision tower: patches to language-model tokens, with deepstack features from inner blocks. */
import type * as tf from '@tensorflow/tfjs';
import type { Qwen3VLConfig } from '../families/qwen3-vl/config.ts';
import { addInterpolatedRows } from '../kernels/embedding.ts';
import { matmulForward, viewOf, type GpuWeight } from '../kernels/matmul.ts';
import type { GridTHW } from '../processing/types.ts';
import { free } from './free.ts';
import type { PassContext } from './linear-group.ts';
import { disposeMergerSaved, type PatchMerger, type PatchMergerSaved } from './patch-merger.ts';
import { interpolatedPositions, patchBounds, visionRotary } from './positions.ts';
import type { SequenceContext } from './text-layer.ts';
import { disposeVisionSaved, type VisionBlock, type VisionBlockSaved } from './vision-block.ts';

export interface VisionWeights {
  patchEmbed: GpuWeight;
  patchBias: GPUBuffer;
  positions: GpuWeight;
  blocks: readonly VisionBlock[];
  merger: PatchMerger;
  /** After the blocks named by deepstackVisualIndexes, in that order. */
  deepstackMergers: readonly PatchMerger[];
}

export interface VisionFeatures {
  /** [image tokens, text hidden] */
  merged: tf.Tensor;
  deepstack: tf.Tensor[];
}

/** State between a forward pass that will be differentiated and its backward pass. */
export interface VisionTape {
  sequence: SequenceContext;
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
    private readonly config: Qwen3VLConfig,
    private readonly weights: VisionWeights,
  ) {}

  /**
   * @param pixelValues patches × (channels · temporal · patch²)
   * @param keep 'nothing' frees everything at once, 'inputs' keeps block inputs, 'all' keeps what backward needs
   */
  forward(context: PassContext, pixelValues: Float32Array, grids: readonly GridTHW[], keep: 'nothing' | 'inputs' | 'all', probe?: ActivationProbe): { features: VisionFeatures; tape: VisionTape | null } {
    const { gpu } = context;
    const { patchEmbed, patchBias } = this.weights;
    const patches = pixelValues.length / patchEmbed.cols;
    const sequence = this.sequence(context, grids);
    const pixels = gpu.upload(pixelValues, [patches, patchEmbed.cols]);
    let x = gpu.empty([patches, patchEmbed.rows]);
    matmulForward(gpu, viewOf(pixels), patches, patchEmbed, viewOf(x), { bias: patchBias });
    pixels.dispose();
    probe?.('vision.patch_embed', x);
    this.addPositions(context, grids, x);

    const states: tf.Tensor[] = [];
    const blocks: (VisionBlockSaved | null)[] = [];
    const deepstack: tf.Tensor[] = [];
    const deepstackSaved: PatchMergerSaved[] = [];
    this.weights.blocks.forEach((block, i) => {
      probe?.(`vision.block_in.${i}`, x);
      const { y, saved } = block.forward(context, sequence, x);
      if (keep !== 'all') disposeVisionSaved(saved);
      blocks.push(keep === 'all' ? saved : null);
      if (keep === 'nothing') x.dispose();
      else states.push(x);
      x = y;
      const at = this.config.deepstackVisualIndexes.indexOf(i);
      if (at >= 0) {
        const merged = this.weights.deepstackMergers[at].forward(context, x);
        probe?.(`vision.deepstack.${at}`, merged.y);
        deepstack[at] = merged.y;
        if (keep === 'nothing') disposeMergerSaved(merged.saved);
        else deepstackSaved[at] = merged.saved;
      }
    });
    probe?.('vision.last_block_out', x);
    const { y: merged, saved } = this.weights.merger.forward(context, x);
    probe?.('vision.merged', merged);
    const features = { merged, deepstack };
    if (keep !== 'nothing') return { features, tape: { sequence, states: [...states, x], blocks, merger: saved, deepstack: deepstackSaved } };
    disposeMergerSaved(saved);
    free(x, sequence.bounds, sequence.rotary.cos, sequence.rotary.sin);
    return { features, tape: null };
  }

  /** Adds the gradients of adapters in the tower. Disposes the tape, not the gradients given. */
  backward(context: PassContext, tape: VisionTape, dMerged: tf.Tensor, dDeepstack: readonly tf.Tensor[]): void {
    const { sequence, states } = tape;
    const { blocks, merger, deepstackMergers } = this.weights;
    let dx = merger.backward(context, states[blocks.length], tape.merger, dMerged, blocks.length > 0, undefined);
    for (let i = blocks.length - 1; i >= 0; i--) {
      const at = this.config.deepstackVisualIndexes.indexOf(i);
      if (at >= 0) {
        const joined = deepstackMergers[at].backward(context, states[i + 1], tape.deepstack[at], dDeepstack[at], true, dx!);
        free(dx);
        dx = joined;
      }
      const saved = tape.blocks[i] ?? this.recompute(context, sequence, blocks[i], states[i]);
      const below = blocks[i].backward(context, sequence, states[i], saved, dx!, i > 0);
      free(dx, states[i + 1]);
      dx = below;
    }
    free(dx, states[0], sequence.bounds, sequence.rotary.cos, sequence.rotary.sin);
  }

  /** Frees a tape that no backward pass will use. */
  disposeTape({ sequence, states, blocks, merger, deepstack }: VisionTape): void {
    for (const saved of blocks) if (saved) disposeVisionSaved(saved);
    for (const saved of [merger, ...deepstack]) disposeMergerSaved(saved);
    free(...states, sequence.bounds, sequence.rotary.cos, sequence.rotary.sin);
  }

  private recompute(context: PassContext, sequence: SequenceContext, block: VisionBlock, x: tf.Tensor): VisionBlockSaved {
    const { y, saved } = block.forward(context, sequence, x);
    y.dispose();
    return saved;
  }

  private sequence({ gpu }: PassContext, grids: readonly GridTHW[]): SequenceContext {
    const bounds = patchBounds(grids);
    const { cos, sin } = visionRotary(this.config, grids);
    const shape = [bounds.length / 2, this.config.visionHeadDim / 2];
    return { bounds: gpu.upload(bounds, [bounds.length / 2, 2]), rotary: { cos: gpu.upload(cos, shape), sin: gpu.upload(sin, shape) } };
  }

  private addPositions({ gpu }: PassContext, grids: readonly GridTHW[], x: tf.Tensor): void {
    const { indices, shares } = interpolatedPositions(this.config, grids);
    const index = gpu.upload(indices, [indices.length / 4, 4]);
    const share = gpu.upload(shares, [indices.length / 4, 4]);
    addInterpolatedRows(gpu, this.weights.positions, index, share, x);
    free(index, share);
  }
}
