/** Notes on a run's figures in words: which text, and its figures in the order in which it names them. Pure. */
import type { Diagnosis, DiagnosisCode } from '../../objectives/diagnosis.ts';
import { formatMetric, formatPercent } from '../format/numbers.ts';
import type { Texts } from '../texts/en.ts';

/** Both log-probabilities falling is common and fine, or not, and is said in different words. */
export type NoteText = DiagnosisCode | 'both-falling-no-margin';

const SHARES: readonly string[] = ['share', 'accuracy'];
const FIGURES: Readonly<Record<NoteText, readonly string[]>> = {
  'adapter-dead': ['step'],
  'loss-uniform': ['loss', 'uniform'],
  'gradient-spike': ['norm', 'median'],
  'grpo-loss-near-zero': ['loss'],
  'zero-variance-groups': ['share'],
  'both-log-probs-falling': [],
  'both-falling-no-margin': [],
  'kl-drift': ['kl'],
  'length-cut': ['share'],
  'accuracy-at-chance': ['accuracy'],
  'reward-flat': ['gain', 'spread'],
};

/** The sentence of a note. */
export function noteText({ code, severity, values }: Diagnosis, texts: Texts): string {
  const text: NoteText = code === 'both-log-probs-falling' && severity === 'warning' ? 'both-falling-no-margin' : code;
  const figures = FIGURES[text].map((name) => (SHARES.includes(name) ? formatPercent(values[name]) : name === 'step' ? String(values[name]) : formatMetric(values[name])));
  return texts.diagnosis.texts[text](...figures);
}
