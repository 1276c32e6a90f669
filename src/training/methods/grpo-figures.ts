/** What GRPO reports of the passes over a rollout, under TRL's keys. */
import type { GrpoResult } from '../../objectives/grpo.ts';
import type { PackedBatch } from '../../processing/types.ts';
import type { TokenScores } from '../../objectives/token-scores.ts';
import type { StepFigures } from './method.ts';

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

export class GrpoFigures {
  private loss = 0;
  private entropy = { sum: 0, tokens: 0 };
  private readonly stats: GrpoResult['stats'][] = [];

  /** Adds a micro-batch. @param masked rows that carry no loss */
  add({ loss, stats }: GrpoResult, scores: TokenScores, batch: PackedBatch, masked: readonly boolean[]): void {
    this.loss += loss;
    this.stats.push(stats);
    batch.targetSample.forEach((row, target) => {
      if (masked[row]) return;
      this.entropy.sum += scores.entropy[target];
      this.entropy.tokens += 1;
    });
  }

  result(): StepFigures {
    const { stats, entropy } = this;
    const kl = stats.flatMap(({ kl }) => (kl === null ? [] : [kl]));
    return {
      loss: this.loss,
      metrics: {
        ...(kl.length > 0 ? { kl: mean(kl) } : {}),
        ...(entropy.tokens > 0 ? { entropy: entropy.sum / entropy.tokens } : {}),
        'clip_ratio/low_mean': mean(stats.map(({ lowMean }) => lowMean)),
        'clip_ratio/low_min': Math.min(...stats.map(({ lowMin }) => lowMin)),
        'clip_ratio/high_mean': mean(stats.map(({ highMean }) => highMean)),
        'clip_ratio/high_max': Math.max(...stats.map(({ highMax }) => highMax)),
        'clip_ratio/region_mean': mean(stats.map(({ regionMean }) => regionMean)),
      },
    };
  }
}
