/** Which classes are taken for which: boxes are matched by place alone, then their classes are set against each other. */
import { matchOneToOne } from '../rewards/matching.ts';
import { classKey, type ReadSample, type ScoredObject } from './read-sample.ts';

export interface Confusion {
  /** Classes of rows and columns; one more row and column stand for "nothing there". */
  classes: string[];
  /** counts[true class][predicted class]; the last row holds boxes where nothing is, the last column what was missed. */
  counts: number[][];
}

const LEAST_IOU = 0.5;

/** Greedy by IoU from 0.5 on, whatever the classes. Samples without truth take no part. */
export function confusionMatrix(samples: readonly ReadSample[]): Confusion {
  const known = samples.filter(({ expected }) => expected !== null).map(({ expected, given }) => ({ truths: expected!.objects, predictions: given.objects }));
  const names = new Map<string, string>();
  const see = (objects: readonly ScoredObject[]) => {
    for (const { category } of objects) if (!names.has(classKey(category))) names.set(classKey(category), category);
  };
  for (const { truths } of known) see(truths);
  for (const { predictions } of known) see(predictions);
  const keys = [...names.keys()].sort((a, b) => names.get(a)!.localeCompare(names.get(b)!));
  const place = new Map(keys.map((key, i) => [key, i]));
  const nothing = keys.length;
  const counts = Array.from({ length: nothing + 1 }, () => new Array<number>(nothing + 1).fill(0));
  const at = ({ category }: { category: string }) => place.get(classKey(category))!;
  for (const { truths, predictions } of known) {
    const pairs = matchOneToOne(truths, predictions, LEAST_IOU);
    const found = new Set<unknown>(pairs.flatMap(({ truth, given }) => [truth, given]));
    for (const { truth, given } of pairs) counts[at(truth)][at(given)]++;
    for (const truth of truths) if (!found.has(truth)) counts[at(truth)][nothing]++;
    for (const prediction of predictions) if (!found.has(prediction)) counts[nothing][at(prediction)]++;
  }
  return { classes: keys.map((key) => names.get(key)!), counts };
}
