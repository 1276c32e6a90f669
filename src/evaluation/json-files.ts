/** An evaluation as the original's files: eval_results_iou{t}.json for each threshold, and eval_summary.json. */
import { IOU_THRESHOLDS } from '../objectives/evaluation/coco-matching.ts';
import type { OverallFigures, ClassFigures } from '../objectives/evaluation/detection-figures.ts';
import { valueOf } from '../objectives/evaluation/evaluate.ts';
import { factsOf } from '../objectives/evaluation/metrics.ts';
import type { MeasuredSet } from './measure-set.ts';

export interface TextFile {
  path: string;
  text: string;
}

/** What the files say of where they come from. */
export interface EvaluationOrigin {
  modelPath: string;
  testData: string;
}

const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;

/** The files of one candidate; figures that measure nothing are null. Threshold by threshold only where the set speaks of objects. */
export function candidateFiles(set: MeasuredSet, candidate: number, origin: EvaluationOrigin): TextFile[] {
  const { detection } = set.evaluations[candidate];
  const results = detection
    ? IOU_THRESHOLDS.map((threshold, t) => ({
        path: `eval_results_iou${threshold.toFixed(2)}.json`,
        text: json({
          iou_threshold: threshold,
          overall: atThreshold(detection.overall[t], set.samples.length),
          per_class: Object.fromEntries(detection.classes.map((one) => [one.name, classAt(one, t, set.samples.length)])),
        }),
      }))
    : [];
  return [...results, { path: 'eval_summary.json', text: json(summary(set, candidate, origin)) }];
}

function atThreshold({ ap, precision, recall, f1, hits, truths, predictions, overlaps }: OverallFigures, samples: number): object {
  return {
    ap: valueOf(ap, samples),
    precision: valueOf(precision, samples),
    recall: valueOf(recall, samples),
    f1_score: valueOf(f1, samples),
    tp: hits,
    fp: predictions - hits,
    fn: truths - hits,
    num_gt: truths,
    num_pred: predictions,
    ...spread(overlaps),
  };
}

function classAt({ truths, predictions, at }: ClassFigures, threshold: number, samples: number): object {
  const { matched, ...figures } = at[threshold];
  const overlaps = [...matched.overlaps].filter((_, i) => matched.hits[i] === 1);
  return atThreshold({ ...figures, hits: overlaps.length, truths, predictions, overlaps }, samples);
}

/** Mean and deviation of the overlaps of hits; null without any. */
function spread(overlaps: readonly number[]): { iou_mean: number | null; iou_std: number | null } {
  if (overlaps.length === 0) return { iou_mean: null, iou_std: null };
  const mean = overlaps.reduce((sum, value) => sum + value, 0) / overlaps.length;
  return { iou_mean: mean, iou_std: Math.sqrt(overlaps.reduce((sum, value) => sum + (value - mean) ** 2, 0) / overlaps.length) };
}

function summary({ samples, names, evaluations, rows }: MeasuredSet, candidate: number, { modelPath, testData }: EvaluationOrigin): object {
  const { detection, counts } = evaluations[candidate];
  const value = (metric: string) => rows.find((row) => row.metric === metric)?.values[candidate] ?? null;
  const figures = rows.filter(({ metric }) => factsOf(metric).group !== 'detection' || metric.startsWith('category_'));
  const t50 = 0;
  const t75 = IOU_THRESHOLDS.indexOf(0.75);
  const at = (statistic: Parameters<typeof valueOf>[0]) => valueOf(statistic, samples.length);
  const shares = ({ precision, recall, f1 }: OverallFigures) => ({ precision: at(precision), recall: at(recall), f1_score: at(f1) });
  return {
    model_path: modelPath,
    adapter: names[candidate],
    test_data: testData,
    num_samples: counts.samples,
    samples_without_truth: counts.withoutTruth,
    unreadable_answers: counts.unreadable,
    classes_only_predicted: Object.fromEntries(counts.onlyPredicted.map(({ name, predictions }) => [name, predictions])),
    ...(detection && {
      iou_thresholds: IOU_THRESHOLDS,
      ap50: value('ap50'),
      ap75: value('ap75'),
      map50_95: value('map50_95'),
      'overall@50': shares(detection.overall[t50]),
      results_by_iou: Object.fromEntries(IOU_THRESHOLDS.map((threshold, t) => [String(threshold), { ap: at(detection.overall[t].ap), ...shares(detection.overall[t]) }])),
    }),
    vlm_metrics: Object.fromEntries(figures.map(({ metric, values }) => [metric, values[candidate]])),
    per_class: Object.fromEntries(
      (detection?.classes ?? []).map(({ name, truths, predictions, at: by }) => {
        const aps = by.map(({ ap }) => at(ap));
        const known = aps.filter((ap) => ap !== null);
        return [
          name,
          {
            ap50: aps[t50],
            ap75: aps[t75],
            map50_95: known.length === 0 ? null : known.reduce((sum, ap) => sum + ap, 0) / known.length,
            'precision@50': at(by[t50].precision),
            'recall@50': at(by[t50].recall),
            'f1@50': at(by[t50].f1),
            num_gt: truths,
            num_pred: predictions,
          },
        ];
      }),
    ),
    intervals_95: Object.fromEntries(rows.flatMap(({ metric, intervals }) => (intervals[candidate] ? [[metric, [intervals[candidate].low, intervals[candidate].high]]] : []))),
    ...(candidate > 0 && { [`difference_to ${names[0]}`]: Object.fromEntries(rows.flatMap(({ metric, differences }) => (differences[candidate] ? [[metric, differences[candidate]]] : []))) }),
  };
}

/** All files: those of a single candidate side by side, those of several in a folder each; the answers beside them. */
export function evaluationFiles(set: MeasuredSet, folders: readonly string[], origin: EvaluationOrigin): TextFile[] {
  const files = set.names.flatMap((_, candidate) => candidateFiles(set, candidate, origin).map(({ path, text }) => ({ path: set.names.length > 1 ? `${folders[candidate]}/${path}` : path, text })));
  return [...files, { path: 'predictions.jsonl', text: predictions(set) }];
}

function predictions({ samples, names, evaluations }: MeasuredSet): string {
  return samples
    .map(({ index, id, prompt, truth, answers }, i) => {
      const said = answers.map(({ text, tokens, seconds, ended }, c) => ({ adapter: names[c], answer: text, tokens, seconds, ended, quality: evaluations[c].samples[i].quality, faults: evaluations[c].samples[i].faults }));
      return `${JSON.stringify({ index, id, prompt, truth, answers: said })}\n`;
    })
    .join('');
}
