/** Runs that have blown up and go on as if nothing were: found in the rows of their log. */
import type { Diagnosis, FigureRow } from './diagnosis.ts';

/** How near the loss must be to that of guessing any token, in nats. */
const UNIFORM_BAND = 0.15;
/** How far below it the loss must have been before, so that a model that has yet to learn is not meant. */
const ONCE_BELOW = 1;
const SPIKE = 100;
/** Fewer rows have no median worth comparing with. */
const LEAST_ROWS = 5;
/** Rows that still count as now. */
const RECENT = 3;

const number = (row: FigureRow, key: string): number | null => (typeof row[key] === 'number' && Number.isFinite(row[key]) ? row[key] : null);

/**
 * @param rows oldest first
 * @param vocabularySize of the model, where it is known; only SFT's loss is that of tokens
 */
export function diagnoseExplosion(rows: readonly FigureRow[], method: string, vocabularySize: number | null): Diagnosis[] {
  return [...deadAdapter(rows, method), ...uniformLoss(rows, method, vocabularySize), ...gradientSpike(rows)];
}

/**
 * The last step whose weights a row still speaks for: a row's figures are those of the weights before its own update.
 * @returns null where nothing has blown up, or nothing is left of the time before
 */
export function lastGoodStep(rows: readonly FigureRow[], method: string, vocabularySize: number | null): number | null {
  if (!diagnoseExplosion(rows, method, vocabularySize).some(({ severity }) => severity === 'error')) return null;
  const uniform = vocabularySize === null ? null : Math.log(vocabularySize);
  const bad = (row: FigureRow) => number(row, 'grad_norm') === 0 || (uniform !== null && method === 'sft' && Math.abs((number(row, 'loss') ?? 0) - uniform) <= UNIFORM_BAND);
  const step = number(rows.findLast((row) => !bad(row)) ?? {}, 'step');
  return step === null || step < 2 ? null : step - 1;
}

/** No gradient reaches any factor: nothing will be learned any more. GRPO has such steps where all answers score alike. */
function deadAdapter(rows: readonly FigureRow[], method: string): Diagnosis[] {
  const explained = (row: FigureRow) => method.startsWith('grpo') && number(row, 'frac_reward_zero_std') === 1;
  const dead = rows.slice(rows.findLastIndex((row) => number(row, 'grad_norm') !== 0 || explained(row)) + 1);
  if (dead.length < 2) return [];
  return [{ code: 'adapter-dead', severity: 'error', values: { step: number(dead[0], 'step') ?? 0 }, setting: ['learning_rate', 'max_grad_norm'] }];
}

/** The model guesses: its loss is the logarithm of the vocabulary's size. */
function uniformLoss(rows: readonly FigureRow[], method: string, vocabularySize: number | null): Diagnosis[] {
  if (method !== 'sft' || vocabularySize === null || vocabularySize < 2) return [];
  const uniform = Math.log(vocabularySize);
  const losses = rows.map((row) => number(row, 'loss')).filter((loss) => loss !== null);
  const now = losses.slice(-RECENT);
  const guesses = now.length > 0 && now.every((loss) => Math.abs(loss - uniform) <= UNIFORM_BAND);
  if (!guesses || !losses.some((loss) => loss < uniform - ONCE_BELOW)) return [];
  return [{ code: 'loss-uniform', severity: 'error', values: { loss: now[now.length - 1], uniform }, setting: ['learning_rate', 'max_grad_norm'] }];
}

function gradientSpike(rows: readonly FigureRow[]): Diagnosis[] {
  const norms = rows.map((row) => number(row, 'grad_norm')).filter((norm) => norm !== null);
  if (norms.length < LEAST_ROWS) return [];
  const before = norms.slice(0, -1).filter((norm) => norm > 0).sort((a, b) => a - b);
  const median = before[before.length >> 1];
  const largest = norms.slice(-RECENT).reduce((most, norm) => Math.max(most, norm), 0);
  if (median === undefined || largest < SPIKE * median) return [];
  return [{ code: 'gradient-spike', severity: 'warning', values: { norm: largest, median }, setting: ['learning_rate', 'max_grad_norm', 'warmup_ratio'] }];
}
