/** How a model behaves as a detector: whether it says something that can be read, makes things up, leaves things out, sees faults. */
import { classKey, type ReadSample } from './read-sample.ts';
import type { MetricName } from './metrics.ts';
import { mean, ratio, rootMeanSquare, type Statistic } from './statistic.ts';

export type Figures = Partial<Record<MetricName, Statistic>>;

/**
 * Rates over samples with truth. no_object_rejection and hallucination are shares of the images without objects: with the
 * word that there are none, and with boxes. omission and false_rejection are shares of those with objects: without a box,
 * and with the word that there are none.
 */
export function behaviourFigures(samples: readonly ReadSample[]): Figures {
  const among = (holds: (sample: Known) => boolean, counts: (sample: Known) => boolean = () => true) =>
    mean(samples.map((sample) => (isKnown(sample) && counts(sample) ? Number(holds(sample)) : null)));
  const without = ({ expected }: Known) => expected.objects.length === 0;
  const withObjects = (sample: Known) => !without(sample);
  const errors = samples.map((sample) => (isKnown(sample) ? sample.given.objects.length - sample.expected.objects.length : null));
  return {
    parse_success_rate: among(({ given }) => given.readable),
    strict_format_rate: among(({ given }) => given.strict),
    no_object_rejection_rate: among(({ given }) => given.saysNone, without),
    hallucination_rate: among(({ given }) => given.objects.length > 0, without),
    omission_rate: among(({ given }) => given.objects.length === 0, withObjects),
    false_rejection_rate: among(({ given }) => given.saysNone, withObjects),
    count_mae: mean(errors.map((error) => (error === null ? null : Math.abs(error)))),
    count_rmse: rootMeanSquare(errors),
    avg_pred_boxes: mean(samples.map(({ given }) => given.objects.length)),
    avg_gt_boxes: mean(samples.map((sample) => (isKnown(sample) ? sample.expected.objects.length : null))),
    ...categoryFigures(samples),
    ...anomalyFigures(samples),
  };
}

type Known = ReadSample & { expected: NonNullable<ReadSample['expected']> };

function isKnown(sample: ReadSample): sample is Known {
  return sample.expected !== null;
}

/** Which classes an image has, wherever they are. */
function categoryFigures(samples: readonly ReadSample[]): Figures {
  const sets = samples.map((sample) => {
    const keys = (objects: ReadSample['given']['objects']) => new Set(isKnown(sample) ? objects.map(({ category }) => classKey(category)) : []);
    return { expected: keys(sample.expected?.objects ?? []), given: keys(sample.given.objects) };
  });
  const shared = sets.map(({ expected, given }) => [...given].filter((key) => expected.has(key)).length);
  const [precision, recall, f1] = shares(shared, sets.map(({ given }) => given.size), sets.map(({ expected }) => expected.size));
  return { category_precision: precision, category_recall: recall, category_f1: f1 };
}

/** Whether an image shows anything faulty; nothing where no truth of the set gives a status. */
function anomalyFigures(samples: readonly ReadSample[]): Figures {
  if (!samples.some(({ expected }) => expected?.givesStatus)) return {};
  const flags = samples.map((sample) => (isKnown(sample) ? { expected: sample.expected.objects.some(({ anomalous }) => anomalous), given: sample.given.objects.some(({ anomalous }) => anomalous) } : null));
  const count = (holds: (flag: { expected: boolean; given: boolean }) => boolean) => flags.map((flag) => Number(flag !== null && holds(flag)));
  const [precision, recall, f1] = shares(count(({ expected, given }) => expected && given), count(({ given }) => given), count(({ expected }) => expected));
  return {
    anomaly_accuracy: mean(flags.map((flag) => (flag ? Number(flag.expected === flag.given) : null))),
    anomaly_precision: precision,
    anomaly_recall: recall,
    anomaly_f1: f1,
  };
}

function shares(right: readonly number[], given: readonly number[], expected: readonly number[]): [precision: Statistic, recall: Statistic, f1: Statistic] {
  return [ratio(right, given), ratio(right, expected), ratio(right.map((value) => 2 * value), given.map((value, i) => value + expected[i]))];
}
