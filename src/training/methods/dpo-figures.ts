/** What DPO reports of the pairs of a step or a validation: TRL's keys, and accuracy and margin for the original's. */
import type { dpoLoss } from '../../objectives/dpo.ts';
import type { PackedBatch } from '../../processing/types.ts';
import type { TokenScores } from '../../objectives/token-scores.ts';
import type { PairLogProbs } from './pairs.ts';

type DpoResult = ReturnType<typeof dpoLoss>;

/** Sums over the answers' tokens of one side. */
interface SideTokens {
  count: number;
  meanLogit: number;
}

export class DpoFigures {
  private loss = 0;
  private pairs = 0;
  private readonly sums = { chosenReward: 0, rejectedReward: 0, margin: 0, correct: 0, chosenLogp: 0, rejectedLogp: 0, moreLikely: 0 };
  private readonly chosen: SideTokens = { count: 0, meanLogit: 0 };
  private readonly rejected: SideTokens = { count: 0, meanLogit: 0 };
  private entropy = 0;
  private top1 = 0;

  /** Adds a batch of pairs, packed by packPairs. */
  add({ loss, perPair }: DpoResult, policy: readonly PairLogProbs[], batch: PackedBatch, scores: TokenScores): void {
    const { sums } = this;
    this.loss += loss;
    this.pairs += perPair.length;
    perPair.forEach(({ chosenReward, rejectedReward, margin, correct }, i) => {
      sums.chosenReward += chosenReward;
      sums.rejectedReward += rejectedReward;
      sums.margin += margin;
      sums.correct += Number(correct);
      sums.chosenLogp += policy[i].chosen;
      sums.rejectedLogp += policy[i].rejected;
      sums.moreLikely += Number(policy[i].chosen > policy[i].rejected);
    });
    for (let target = 0; target < batch.targetSample.length; target++) {
      const side = batch.targetSample[target] < perPair.length ? this.chosen : this.rejected;
      side.count += 1;
      side.meanLogit += scores.meanLogit[target];
      this.entropy += scores.entropy[target];
      if (side === this.chosen) this.top1 += scores.top1[target];
    }
  }

  result(): { loss: number; metrics: { accuracy: number; margin: number } & Record<string, number> } {
    const { sums, pairs, chosen, rejected } = this;
    const accuracy = sums.correct / pairs;
    const margin = sums.margin / pairs;
    return {
      loss: this.loss,
      metrics: {
        accuracy,
        margin,
        'rewards/chosen': sums.chosenReward / pairs,
        'rewards/rejected': sums.rejectedReward / pairs,
        'rewards/accuracies': accuracy,
        'rewards/margins': margin,
        'logps/chosen': sums.chosenLogp / pairs,
        'logps/rejected': sums.rejectedLogp / pairs,
        // Without the reference: pairs whose chosen answer is the more likely one.
        'logps/accuracies': sums.moreLikely / pairs,
        'logits/chosen': chosen.meanLogit / chosen.count,
        'logits/rejected': rejected.meanLogit / rejected.count,
        entropy: this.entropy / (chosen.count + rejected.count),
        mean_token_accuracy: this.top1 / chosen.count,
      },
    };
  }
}
