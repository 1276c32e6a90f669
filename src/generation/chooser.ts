/** Chooses the next tokens of the sequences under way and remembers what they have seen. */
import type * as tf from '@tensorflow/tfjs';
import type { ArgmaxTokens } from '../kernels/argmax.ts';
import { chooseTokens, seenWords, type ChoiceSettings } from '../kernels/sample.ts';
import type { Head } from '../model/parts/head.ts';
import type { PassContext } from '../model/parts/pass-context.ts';
import type { SamplingSettings } from './options.ts';

/** One sequence of a wave. */
export interface Sequence {
  /** Position among all answers. */
  index: number;
  /** Position among the wave's prompts. */
  prompt: number;
  /** Its place for as long as it goes on; then another's. */
  slot: number;
  /** Step of the wave that gave its first token. */
  start: number;
}

/** Tokens chosen in one step. */
export type Choice = ArgmaxTokens;

export class TokenChooser {
  private readonly settings: ChoiceSettings;
  private readonly seen: tf.Tensor | null;
  private rows: tf.Tensor;

  /**
   * @param sequences that take the first slots
   * @param promptIds tokens of each prompt of the wave; the penalty holds for them too
   * @param suppressId never drawn
   * @param withSums greedy choices tell their probabilities
   */
  constructor(
    private readonly context: PassContext,
    private readonly head: Head,
    private readonly sampling: SamplingSettings | null,
    repetitionPenalty: number,
    sequences: readonly Sequence[],
    promptIds: readonly Int32Array[],
    suppressId?: number,
    private readonly withSums = false,
  ) {
    this.settings = { draw: sampling && { ...sampling, suppressId }, repetitionPenalty };
    this.seen = repetitionPenalty === 1 ? null : this.uploadSeen(sequences, promptIds);
    this.rows = this.uploadRows(sequences);
  }

  /**
   * Next tokens of the sequences.
   * @param hidden [sequences, hidden] after the final norm
   * @param step of the wave
   */
  choose(hidden: tf.Tensor, step: number): Choice {
    const { context, head, settings, seen, withSums } = this;
    if (!settings.draw && !seen) return head.argmax(context, hidden, withSums);
    const logits = head.logits(context, hidden);
    const ids = chooseTokens(context.gpu, logits, this.rows, seen, step, settings);
    logits.dispose();
    return { ids, sums: null };
  }

  /** Chooses for these sequences from now on. */
  turnTo(sequences: readonly Sequence[]): void {
    this.rows.dispose();
    this.rows = this.uploadRows(sequences);
  }

  /** Turns to sequences that take slots which others have left. */
  admit(sequences: readonly Sequence[], promptIds: readonly Int32Array[]): void {
    const { seen } = this;
    if (seen) {
      const fresh = this.uploadSeen(sequences, promptIds);
      const bytes = fresh.shape[1]! * 4;
      sequences.forEach(({ slot }, i) => this.context.gpu.copy(fresh, i * bytes, seen, slot * bytes, bytes));
      fresh.dispose();
    }
    this.turnTo(sequences);
  }

  dispose(): void {
    this.seen?.dispose();
    this.rows.dispose();
  }

  private uploadRows(sequences: readonly Sequence[]): tf.Tensor {
    const first = this.sampling?.firstSequence ?? 0;
    return this.context.gpu.upload(Int32Array.from(sequences.flatMap(({ slot, index, start }) => [slot, first + index, start, 0])), [sequences.length, 4]);
  }

  /** One row for each of the sequences. */
  private uploadSeen(sequences: readonly Sequence[], promptIds: readonly Int32Array[]): tf.Tensor {
    const words = seenWords(this.head.table.rows);
    const bits = new Int32Array(sequences.length * words);
    sequences.forEach(({ prompt }, row) => {
      for (const id of promptIds[prompt]) bits[row * words + (id >>> 5)] |= 1 << (id & 31);
    });
    return this.context.gpu.upload(bits, [sequences.length, words]);
  }
}
