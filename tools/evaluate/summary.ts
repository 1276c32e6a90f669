/** The figures that the terminal shows. */

const SHOWN: readonly (readonly [key: string, label: string])[] = [
  ['ap50', 'AP50'],
  ['ap75', 'AP75'],
  ['map50_95', 'AP50-95'],
  ['overall@50.f1_score', 'F1 at IoU 0.5'],
  ['vlm_metrics.hallucination_rate', 'boxes where nothing is'],
  ['vlm_metrics.omission_rate', 'no box where something is'],
  ['vlm_metrics.exact_match_rate', 'exact match'],
  ['vlm_metrics.rouge_l_f1', 'ROUGE-L'],
  ['vlm_metrics.latency_ms_p50', 'median latency, ms'],
];

/** Rows of label and one value a candidate, from the summaries among the files; figures that no candidate has are left out. */
export function headlines(files: readonly (readonly [string, Uint8Array])[]): string[][] {
  const summaries = files.filter(([name]) => name.endsWith('eval_summary.json')).map(([, bytes]) => JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>);
  const rows = SHOWN.map(([key, label]) => ({ label, values: summaries.map((summary) => at(summary, key)) })).filter(({ values }) => values.some((value) => value !== undefined));
  return [['', ...summaries.map(({ adapter }) => String(adapter))], ...rows.map(({ label, values }) => [label, ...values.map(shown)])];
}

function at(summary: unknown, key: string): unknown {
  return key.split('.').reduce<unknown>((value, name) => (typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined), summary);
}

function shown(value: unknown): string {
  return typeof value === 'number' ? (value >= 100 ? value.toFixed(0) : value.toFixed(3)) : 'nothing to measure';
}
