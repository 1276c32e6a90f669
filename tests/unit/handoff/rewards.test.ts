/** The bundle's rewards in Python against the page's own, over answers of every form; the Python wrote its results down. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { categoriesOf } from '../../../src/objectives/detection.ts';
import { REWARD_SCHEMES } from '../../../src/objectives/rewards/scheme.ts';

const ROOT = join(import.meta.dirname, '../../..');

interface Fixture {
  sha256: Record<string, string>;
  schemes: Record<string, { terms: string[]; weights: number[] }>;
  categories: string[];
  texts: string[];
  /** Truth, answer, picture size where boxes count pixels, and each scheme's terms. */
  cases: [truth: number, answer: number, size: [number, number] | null, terms: Record<string, number[]>][];
}

const fixture = JSON.parse(readFileSync(join(ROOT, 'tests/fixtures/handoff/rewards.json'), 'utf8')) as Fixture;
const { texts, cases } = fixture;
const categories = new Set(fixture.categories);

it('were written down by the Python that bundles carry; else run tools/handoff/reward-cases.py again', () => {
  expect(Object.keys(fixture.sha256)).toEqual(['answers', 'reward_answers', 'rewards']);
  for (const [name, sum] of Object.entries(fixture.sha256)) {
    const bytes = readFileSync(join(ROOT, `src/handoff/python/lorikeet/${name}.py`));
    expect(createHash('sha256').update(bytes).digest('hex'), name).toBe(sum);
  }
});

it('are all there, with the same terms, weights and categories', () => {
  expect(fixture.schemes).toEqual(Object.fromEntries(REWARD_SCHEMES.map(({ name, terms, defaultWeights }) => [name, { terms: [...terms], weights: terms.map((term) => defaultWeights[term]) }])));
  expect([...categoriesOf(cases.map(([truth]) => texts[truth]))].sort()).toEqual([...categories].sort());
});

describe.each(REWARD_SCHEMES)('$name', ({ name, terms, score }) => {
  it('gives the same for every pair of truth and answer', () => {
    const seen = new Set<string>();
    for (const [truth, answer, size, expected] of cases) {
      const imageSize = size ? { width: size[0], height: size[1] } : undefined;
      const given = score(texts[truth], texts[answer], { boxes: size ? 'pixels' : 'thousandths', imageSize, categories });
      const values = terms.map((term) => given[term]);
      seen.add(values.join());
      values.forEach((value, t) => expect(value, `${terms[t]} of ${JSON.stringify(texts[answer].slice(0, 80))} for ${JSON.stringify(texts[truth].slice(0, 80))}`).toBeCloseTo(expected[name][t], 12));
    }
    expect(seen.size, 'answers worth different rewards').toBeGreaterThan(10);
  });
});
