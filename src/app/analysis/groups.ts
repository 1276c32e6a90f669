/** Which charts stand together, and in which order. Pure. */
import { baseName } from '../../reports/metrics.ts';

export type GroupName = 'main' | 'reward' | 'detection' | 'optimizer' | 'speed' | 'other';
export const GROUPS: readonly GroupName[] = ['main', 'reward', 'detection', 'optimizer', 'speed', 'other'];

/** The first that fits decides. */
const PATTERNS: readonly (readonly [GroupName, RegExp])[] = [
  ['speed', /(?:per_second|runtime|step_time|_ms$|memory|throughput|speed|samples_per|tokens_per|gpu|flos)/i],
  ['optimizer', /(?:^|[/_])(?:lr|learning_rate|grad_norm|weight_norm|clip|update)/i],
  ['reward', /(?:reward|advantage|kl\b|kl$|logps|logits|margin|completion|entropy|frac_|clip_ratio|policy)/i],
  ['detection', /(?:iou|bbox|category|format|status|completeness|precision|recall|f1|map|ap\d|hallucination|omission|box)/i],
  ['main', /(?:loss|accuracy|perplexity|ppl|nll|score)/i],
];

/** The group a metric belongs to, by its name. */
export function groupOf(metric: string): GroupName {
  const name = baseName(metric);
  return PATTERNS.find(([, pattern]) => pattern.test(name))?.[0] ?? 'other';
}
