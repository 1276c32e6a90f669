/** Where the time of sampling methods goes, from log rows. Pure. */
import type { LogRow } from '../charts/axis.ts';

export const PHASES = ['generate', 'score', 'logProbs', 'backward'] as const;
export type Phase = (typeof PHASES)[number] | 'other';

const METRICS: Readonly<Record<(typeof PHASES)[number], string>> = { generate: 'generate_ms', score: 'score_ms', logProbs: 'log_probs_ms', backward: 'backward_ms' };
/** A rest below this share of the step is rounding and waiting, not a part of its own. */
const LEAST_REST = 0.01;

export interface PhaseTime {
  phase: Phase;
  milliseconds: number;
}

/** Parts of one step in their order, and what is left of its time; null where the row does not tell. */
export function phasesOf(row: LogRow): PhaseTime[] | null {
  const known = PHASES.flatMap((phase) => {
    const milliseconds = row[METRICS[phase]];
    return typeof milliseconds === 'number' ? [{ phase, milliseconds }] : [];
  });
  if (known.length === 0) return null;
  const sum = known.reduce((total, { milliseconds }) => total + milliseconds, 0);
  const step = typeof row.step_time_ms === 'number' ? row.step_time_ms : 0;
  const rest = step - sum;
  return rest > LEAST_REST * step ? [...known, { phase: 'other', milliseconds: rest }] : known;
}

/** Mean time of each part over several steps; a part that a step does not have counts as none of its time. */
export function meanPhases(steps: readonly (readonly PhaseTime[])[]): PhaseTime[] {
  const sums = new Map<Phase, number>();
  for (const step of steps) for (const { phase, milliseconds } of step) sums.set(phase, (sums.get(phase) ?? 0) + milliseconds);
  return ([...PHASES, 'other'] as const).flatMap((phase) => {
    const sum = sums.get(phase);
    return sum === undefined ? [] : [{ phase, milliseconds: sum / steps.length }];
  });
}
