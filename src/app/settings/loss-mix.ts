/** Several DPO losses mixed by weights, as one list; in the settings they are two lists of equal length. Pure. */
import { readNumber } from './layers.ts';

export interface LossPart {
  name: string;
  /** Text that is no number is kept so that it can be shown as wrong. */
  weight: number | string;
}

/** The parts that `loss_type` and `loss_weights` name; a missing weight is 1. */
export function readMix(lossType: unknown, lossWeights: unknown): LossPart[] {
  const weights = Array.isArray(lossWeights) ? (lossWeights as (number | string)[]) : [];
  return [lossType].flat().map((name, i) => ({ name: String(name), weight: weights[i] ?? 1 }));
}

/** Both settings of a mix, as plain as they can be: one loss is a name, and weights that are all 1 are none. */
export function writeMix(parts: readonly LossPart[]): { loss_type: string | string[]; loss_weights: (number | string)[] | null } {
  const names = parts.map(({ name }) => name);
  const plain = parts.every(({ weight }) => weight === 1);
  return { loss_type: names.length === 1 ? names[0] : names, loss_weights: plain ? null : parts.map(({ weight }) => weight) };
}

/** What was typed as a weight; nothing counts as 1. */
export function readWeight(text: string): number | string {
  return readNumber(text) ?? 1;
}
