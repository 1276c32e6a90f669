/** What confuses users in the figures of a run, found in its recent rows. Words are the page's business. */
import { diagnoseExplosion } from './explosion.ts';

export const DIAGNOSIS_CODES = ['adapter-dead', 'loss-uniform', 'gradient-spike', 'grpo-loss-near-zero', 'zero-variance-groups', 'both-log-probs-falling', 'kl-drift', 'length-cut', 'accuracy-at-chance', 'reward-flat'] as const;
export type DiagnosisCode = (typeof DIAGNOSIS_CODES)[number];

export interface Diagnosis {
  code: DiagnosisCode;
  /** "info": normal, though it looks odd; "error": going on is of no use. */
  severity: 'info' | 'warning' | 'error';
  /** The figures that led to it. */
  values: Record<string, number>;
  /** Settings that change it; empty where nothing has to change. */
  setting: readonly string[];
}

/** A row of the training log; figures that a row lacks are skipped. */
export type FigureRow = Readonly<Record<string, unknown>>;

/** Rows that count as recent. */
const RECENT = 10;
/** Fewer rows say nothing about a trend. */
const LEAST_TREND = 6;
const LOSS_NEAR_ZERO = 0.01;
const MANY_FLAT_GROUPS = 0.5;
const HIGH_KL = 0.1;
const MANY_CUT = 0.2;
const CHANCE_BAND = 0.05;

const RANK: Readonly<Record<Diagnosis['severity'], number>> = { error: 0, warning: 1, info: 2 };

/**
 * @param rows of one run, oldest first
 * @param vocabularySize of its model, where it is known
 * @returns what holds of the last rows, the worst first
 */
export function diagnose(rows: readonly FigureRow[], method: 'sft' | 'dpo' | 'grpo' | 'grpo-trl', vocabularySize: number | null = null): Diagnosis[] {
  const ofMethod = method === 'sft' ? [] : method === 'dpo' ? dpoDiagnoses(rows) : grpoDiagnoses(rows);
  return [...diagnoseExplosion(rows, method, vocabularySize), ...ofMethod].sort((a, b) => RANK[a.severity] - RANK[b.severity]);
}

function figures(rows: readonly FigureRow[], key: string): number[] {
  return rows.map((row) => row[key]).filter((value): value is number => typeof value === 'number' && Number.isFinite(value));
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

function recentMean(rows: readonly FigureRow[], key: string): number | null {
  const values = figures(rows, key).slice(-RECENT);
  return values.length > 0 ? mean(values) : null;
}

/** Mean of the later half of all rows minus that of the earlier half; null where there are too few. */
function change(rows: readonly FigureRow[], key: string): number | null {
  const values = figures(rows, key);
  if (values.length < LEAST_TREND) return null;
  const half = Math.floor(values.length / 2);
  return mean(values.slice(-half)) - mean(values.slice(0, half));
}

function dpoDiagnoses(rows: readonly FigureRow[]): Diagnosis[] {
  const found: Diagnosis[] = [];
  const [chosen, rejected, margins] = ['logps/chosen', 'logps/rejected', 'rewards/margins'].map((key) => change(rows, key));
  if (chosen !== null && rejected !== null && chosen < 0 && rejected < 0) {
    const better = margins !== null && margins > 0;
    found.push({ code: 'both-log-probs-falling', severity: better ? 'info' : 'warning', values: { chosen, rejected, ...(margins !== null && { margins }) }, setting: ['beta', 'loss_type', 'loss_weights'] });
  }
  const accuracies = figures(rows, 'rewards/accuracies');
  const accuracy = recentMean(rows, 'rewards/accuracies');
  if (accuracy !== null && accuracies.length >= RECENT && Math.abs(accuracy - 0.5) <= CHANCE_BAND) {
    found.push({ code: 'accuracy-at-chance', severity: 'warning', values: { accuracy }, setting: ['learning_rate', 'beta'] });
  }
  return found;
}

function grpoDiagnoses(rows: readonly FigureRow[]): Diagnosis[] {
  const found: Diagnosis[] = [];
  const above = (code: DiagnosisCode, key: string, name: string, limit: number, setting: readonly string[]) => {
    const value = recentMean(rows, key);
    if (value !== null && value > limit) found.push({ code, severity: 'warning', values: { [name]: value }, setting });
  };
  above('zero-variance-groups', 'frac_reward_zero_std', 'share', MANY_FLAT_GROUPS, ['temperature', 'num_generations']);
  above('kl-drift', 'kl', 'kl', HIGH_KL, ['beta', 'learning_rate']);
  above('length-cut', 'completions/clipped_ratio', 'share', MANY_CUT, ['max_completion_length']);
  const loss = recentMean(rows, 'loss');
  if (loss !== null && Math.abs(loss) < LOSS_NEAR_ZERO) found.push({ code: 'grpo-loss-near-zero', severity: 'info', values: { loss }, setting: [] });
  const gain = change(rows, 'reward');
  const spread = recentMean(rows, 'reward_std');
  // Less than a tenth of the spread between answers is no trend.
  if (gain !== null && spread !== null && figures(rows, 'reward').length >= 2 * RECENT && Math.abs(gain) < 0.1 * spread) {
    found.push({ code: 'reward-flat', severity: 'warning', values: { gain, spread }, setting: ['learning_rate', 'num_generations'] });
  }
  return found;
}
