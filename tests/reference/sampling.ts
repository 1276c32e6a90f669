/** Choosing a token with everything in memory and a sort: what the sampling kernel must equal. */
import { philox4x32 } from '../../src/processing/philox.ts';

export interface PlainChoiceSettings {
  temperature: number;
  /** 0 = all */
  topK: number;
  topP: number;
  repetitionPenalty: number;
  seed: number;
}

/** Scores after repetition penalty and temperature, in the kernel's precision. */
function scoresOf(logits: ArrayLike<number>, settings: PlainChoiceSettings, seen: ReadonlySet<number>): number[] {
  const inverse = Math.fround(1 / settings.temperature);
  const penalty = Math.fround(settings.repetitionPenalty);
  return Array.from(logits, (logit, id) => {
    const penalized = !seen.has(id) ? logit : Math.fround(logit < 0 ? logit * penalty : logit / penalty);
    return Math.fround(penalized * inverse);
  });
}

/** Probability of each token after penalty, temperature, top-k and top-p, in that order; tokens as likely as the last one kept stay too. */
export function plainProbabilities(logits: ArrayLike<number>, settings: PlainChoiceSettings, seen: ReadonlySet<number> = new Set()): number[] {
  const scores = scoresOf(logits, settings, seen);
  const { topK, topP } = settings;
  const descending = [...scores].sort((a, b) => b - a);
  let least = topK > 0 && topK < scores.length ? descending[topK - 1] : -Infinity;
  const powers = () => scores.map((score) => (score >= least ? Math.exp(score - descending[0]) : 0));
  if (topP < 1) {
    const total = powers().reduce((sum, power) => sum + power, 0);
    let reached = 0;
    for (const score of descending) {
      if (reached >= topP * total || score < least) break;
      reached += Math.exp(score - descending[0]);
      if (reached >= topP * total) least = score;
    }
  }
  const kept = powers();
  const total = kept.reduce((sum, power) => sum + power, 0);
  return kept.map((power) => power / total);
}

/** The token drawn by the Philox word of (sequence, step) under the seed. */
export function plainChoice(logits: ArrayLike<number>, settings: PlainChoiceSettings, sequence: number, step: number, seen: ReadonlySet<number> = new Set()): number {
  const probabilities = plainProbabilities(logits, settings, seen);
  const random = philox4x32([sequence >>> 0, step, 0, 0x67656e], [settings.seed >>> 0, 0])[0] / 2 ** 32;
  let before = 0;
  let last = 0;
  for (const [id, probability] of probabilities.entries()) {
    if (probability === 0) continue;
    before += probability;
    last = id;
    if (before > random) break;
  }
  return last;
}

/** The most likely token after the penalty; the lowest id among equals. */
export function plainGreedy(logits: ArrayLike<number>, repetitionPenalty: number, seen: ReadonlySet<number>): number {
  const scores = scoresOf(logits, { temperature: 1, topK: 0, topP: 1, repetitionPenalty, seed: 0 }, seen);
  return scores.indexOf(Math.max(...scores));
}
