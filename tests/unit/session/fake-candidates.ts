/** Candidates that answer by rote: the base model two tokens, an adapter three, the last prompt of a batch one more. */
import type { Adapter } from '../../../src/checkpoint/adapter.ts';
import type { GeneratedAnswer } from '../../../src/generation/options.ts';
import { sampleLengths } from '../../../src/processing/slice-batch.ts';
import type { PackedBatch } from '../../../src/processing/types.ts';
import type { Candidates, GreedyOptions } from '../../../src/training/side-by-side.ts';

export class FakeCandidates implements Candidates {
  readonly sharedVision: boolean[];

  constructor(private readonly adapters: readonly (Adapter | null)[]) {
    this.sharedVision = adapters.map(() => true);
  }

  promptsAtOnce(): number {
    return 3;
  }

  async answer(prompts: PackedBatch, _deltas: readonly number[], { maxNewTokens, onTokens, onLook }: GreedyOptions): Promise<GeneratedAnswer[][]> {
    const count = sampleLengths(prompts).length;
    onLook('begun');
    onLook('done');
    const all: GeneratedAnswer[][] = [];
    for (const [candidate, adapter] of this.adapters.entries()) {
      const answers = Array.from({ length: count }, (_, i): GeneratedAnswer => {
        const ids = Array.from({ length: (adapter ? 3 : 2) + Number(i === count - 1) }, (_, n) => 300 + n).slice(0, maxNewTokens);
        return { ids, stopId: ids.length < maxNewTokens ? 2 : null, probabilities: ids.map((_, n) => 1 / (n + 1)) };
      });
      all.push(answers);
      if (!(await onTokens(answers.map(({ ids }) => ids), candidate))) return all;
    }
    return all;
  }

  dispose(): void {
    // Nothing is held.
  }
}
