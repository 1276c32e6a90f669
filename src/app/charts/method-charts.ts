/** Which charts a run shows, by its method. Data only; Charts.svelte draws them. */
import type { Method } from '../../protocol/config.ts';
import type { Texts } from '../texts/en.ts';

type Words = Texts['methods']['charts'];

/** One line; `label` is a key of the dictionary, or "train" and "validation" for the pair that every chart may have. */
export interface LineSpec {
  metric: string;
  label: 'train' | 'validation' | keyof Words['lines'] | { metric: string } | { term: string };
  color: string;
  /** Validation rows hold the metric; drawn dashed with dots. */
  validation?: true;
  /** Never smoothed: schedules, extremes. */
  exact?: true;
}

export interface ChartSpec {
  id: string;
  title: keyof Words['titles'];
  lines: readonly LineSpec[];
  canLog?: true;
  /** Fixed value axis, for shares and scores. */
  range?: readonly [number, number];
  /** Among the curves that are folded away at first. */
  folded?: true;
  /** What an empty chart says, where that is not "after the first step". */
  empty?: 'validation' | 'kl';
}

const TRAIN = 'var(--train)';
const VALIDATION = 'var(--validation)';
/** For further lines of one chart, far apart in hue and lightness. */
const PALETTE = ['var(--violet)', 'var(--ochre)', 'var(--accent)', 'var(--slate)', 'var(--bad)', 'var(--amber)'];

const train = (metric: string): LineSpec => ({ metric, label: 'train', color: TRAIN });
const validation = (metric: string): LineSpec => ({ metric, label: 'validation', color: VALIDATION, validation: true });
const line = (metric: string, label: LineSpec['label'], color: string): LineSpec => ({ metric, label, color });
const score = (metric: string, color: string): LineSpec => ({ metric, label: { metric }, color, validation: true });

const LEARNING_RATE: ChartSpec = { id: 'learning-rate', title: 'learningRate', lines: [{ ...train('learning_rate'), exact: true }], canLog: true };
const GRAD_NORM: ChartSpec = { id: 'grad-norm', title: 'gradNorm', lines: [train('grad_norm')], canLog: true };
const DETECTION: ChartSpec = {
  id: 'detection',
  title: 'detection',
  lines: [score('eval_bbox_iou', VALIDATION), score('eval_category', 'var(--violet)'), score('eval_f1', 'var(--accent)'), score('eval_format', 'var(--slate)')],
  range: [0, 1],
  empty: 'validation',
};

const SFT: readonly ChartSpec[] = [
  { id: 'loss', title: 'loss', lines: [train('loss'), validation('eval_loss')], canLog: true },
  DETECTION,
  LEARNING_RATE,
  GRAD_NORM,
];

const DPO: readonly ChartSpec[] = [
  { id: 'loss', title: 'loss', lines: [train('loss'), validation('val_loss')], canLog: true },
  { id: 'accuracy', title: 'accuracy', lines: [train('accuracy'), validation('val_accuracy')], range: [0, 1] },
  {
    id: 'pair-rewards',
    title: 'pairRewards',
    lines: [
      line('rewards/chosen', 'chosen', TRAIN),
      line('rewards/rejected', 'rejected', 'var(--violet)'),
      line('rewards/margins', 'margin', 'var(--ochre)'),
      { ...validation('val_reward_margin'), label: 'valMargin' },
    ],
  },
  { id: 'logps', title: 'logps', lines: [line('logps/chosen', 'chosen', TRAIN), line('logps/rejected', 'rejected', 'var(--violet)')] },
  LEARNING_RATE,
  GRAD_NORM,
  { id: 'logits', title: 'logits', lines: [line('logits/chosen', 'chosen', TRAIN), line('logits/rejected', 'rejected', 'var(--violet)')], folded: true },
  { id: 'tokens', title: 'tokens', lines: [line('entropy', 'entropy', TRAIN), line('mean_token_accuracy', 'tokenAccuracy', 'var(--violet)')], folded: true },
];

/** @param terms reward terms of the run, in their order */
function grpoCharts(valReward: string, terms: readonly string[]): readonly ChartSpec[] {
  return [
    { id: 'reward', title: 'reward', lines: [train('reward'), validation(valReward)] },
    { id: 'terms', title: 'terms', lines: terms.map((term, i) => line(`rewards/${term}/mean`, { term }, i === 0 ? TRAIN : PALETTE[(i - 1) % PALETTE.length])) },
    { id: 'spread', title: 'spread', lines: [train('reward_std')] },
    {
      id: 'wasted',
      title: 'wasted',
      lines: [line('frac_reward_zero_std', 'zeroSpread', 'var(--violet)'), line('completions/clipped_ratio', 'cut', 'var(--ochre)')],
      range: [0, 1],
    },
    {
      id: 'length',
      title: 'length',
      lines: [
        line('completions/mean_length', 'mean', TRAIN),
        line('completions/mean_terminated_length', 'ended', 'var(--violet)'),
        { ...line('completions/max_length', 'longest', 'var(--slate)'), exact: true },
      ],
    },
    { id: 'kl', title: 'kl', lines: [train('kl')], empty: 'kl' },
    { id: 'entropy', title: 'entropy', lines: [train('entropy')] },
    {
      id: 'clip',
      title: 'clip',
      lines: [
        line('clip_ratio/low_mean', 'clipLow', 'var(--violet)'),
        line('clip_ratio/high_mean', 'clipHigh', 'var(--ochre)'),
        line('clip_ratio/region_mean', 'clipRegion', TRAIN),
      ],
    },
    { id: 'policy-loss', title: 'loss', lines: [train('loss')], folded: true },
    { ...DETECTION, folded: true },
    { ...LEARNING_RATE, folded: true },
    { ...GRAD_NORM, folded: true },
  ];
}

/** Names of the reward terms in the rows' metrics, in their order. */
export function rewardTerms(metrics: Iterable<string>): string[] {
  return [...metrics].flatMap((metric) => /^rewards\/(.+)\/mean$/.exec(metric)?.[1] ?? []);
}

/** Charts of a run. @param metrics names in the run's training rows, of which only reward terms matter */
export function chartsOf(method: Method, metrics: Iterable<string>): readonly ChartSpec[] {
  if (method === 'sft') return SFT;
  if (method === 'dpo') return DPO;
  return grpoCharts(method === 'grpo' ? 'val_reward' : 'eval_reward', rewardTerms(metrics));
}
