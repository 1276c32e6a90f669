/** Words for names in the log. Pure. */
import type { Texts } from '../texts/en.ts';

/** A reward term as people call it; terms of the user's own keep their name. */
export function termName(term: string, texts: Texts): string {
  const { terms } = texts.methods;
  return Object.hasOwn(terms, term) ? terms[term] : term;
}

/** A metric of the log as people call it; its own name where there is no other. */
export function metricName(metric: string, texts: Texts): string {
  const known: Readonly<Record<string, string>> = { ...texts.charts.metrics, ...texts.methods.metrics };
  if (Object.hasOwn(known, metric)) return known[metric];
  const term = /^(?:val_(.+)|(?:eval_)?rewards\/(.+)\/mean)$/.exec(metric);
  return term ? texts.methods.termReward(termName(term[1] ?? term[2], texts)) : metric;
}
