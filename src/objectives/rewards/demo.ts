/** The reward of the demo's reference run: strict format, then boxes, categories and statuses; 0 to 7.2. */
import { parseAnswer, type ParsedAnswer } from '../detection-answer.ts';
import { bestMatch } from '../detection.ts';
import type { RewardScheme } from './contract.ts';

export const demo: RewardScheme = {
  name: 'demo',
  terms: ['format', 'bbox', 'category', 'completeness'],
  defaultWeights: { format: 0.2, bbox: 3, category: 2, completeness: 2 },
  /** Sums over true objects of IoU, right category and right status, divided by max(true, predicted); 0 if the format is not strict. */
  score(truth, completion, { categories } = {}) {
    const expected = parseAnswer(truth);
    const given = parseAnswer(completion);
    if (!isStrict(expected, given, categories)) return { format: 0, bbox: 0, category: 0, completeness: 0 };
    const count = Math.max(expected.objects.length, given.objects.length);
    if (count === 0) return { format: 1, bbox: 1, category: 1, completeness: 1 };
    const matches = expected.objects.map((object) => bestMatch(object, given.objects));
    const share = (of: (match: (typeof matches)[number]) => number | boolean) => matches.reduce((sum, match) => sum + Number(of(match)), 0) / count;
    return { format: 1, bbox: share(({ iou }) => iou), category: share(({ category }) => category), completeness: share(({ status }) => status) };
  },
};

/** Flawless, in the format of the truth or saying that nothing is there, and with known categories only. */
function isStrict(expected: ParsedAnswer, given: ParsedAnswer, categories?: ReadonlySet<string>): boolean {
  const sameFormat = given.format === expected.format || given.saysNone || expected.saysNone;
  return given.wellFormed && sameFormat && given.objects.every(({ category }) => categories?.has(category) ?? true);
}
