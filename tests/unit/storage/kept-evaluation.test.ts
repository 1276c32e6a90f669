import { beforeEach, describe, expect, it } from 'vitest';
import type { AnsweredSample, EvaluatedSet } from '../../../src/protocol/evaluation-messages.ts';
import { commit, read } from '../../../src/storage/database.ts';
import { forgetEvaluation, keepEvaluation, MAX_PICTURE_BYTES, readEvaluation, type KeptEvaluation } from '../../../src/storage/kept-evaluation.ts';
import { pretendBrowser } from './pretend-browser.ts';

beforeEach(() => void pretendBrowser());

const sample = (index: number, image: Blob | null = null): AnsweredSample => ({
  index, id: `s${index}`, prompt: 'What?', truth: 'A lamp.', truthBoxes: [{ label: 'lamp', box: [1, 2, 3, 4] }], pixelsOf: { width: 64, height: 32 }, image,
  answers: [0, 1].map((tokens) => ({ text: 'A lamp.', boxes: [], tokens, seconds: 0.5, ended: 'stop' as const, certainty: { ends: [2, 7], probabilities: [0.5, 0.25] } })),
});
const outcome: EvaluatedSet = { names: [null, 'best'], answered: 2, total: 3, stopped: true, sharedVision: [true, true], refused: 1, problems: [{ level: 'error', code: 'image', message: 'no', advice: 'do' }], milliseconds: 12 };
const kept: KeptEvaluation = { at: '2026-01-02T03:04:05.000Z', names: ['base', 'best'], outcome, samples: [sample(0), sample(4)] };

describe('the last evaluation', () => {
  it('comes back as it was, the list of problems left out', async () => {
    await keepEvaluation(kept);
    expect(await readEvaluation()).toEqual({ ...kept, outcome: { ...outcome, problems: [] } });
    await keepEvaluation({ ...kept, names: ['base', 'final'] });
    expect((await readEvaluation())?.names).toEqual(['base', 'final']);
    await forgetEvaluation();
    expect(await readEvaluation()).toBeNull();
  });

  it('keeps its pictures up to a limit, and none above it', async () => {
    const picture = (size: number) => Object.defineProperty(new Blob(['picture']), 'size', { value: size });
    await keepEvaluation({ ...kept, samples: [sample(0, new Blob(['picture']))] });
    expect(await (await readEvaluation())?.samples[0].image?.text()).toBe('picture');
    await keepEvaluation({ ...kept, samples: [sample(0, picture(MAX_PICTURE_BYTES)), sample(1, picture(1))] });
    expect((await readEvaluation())?.samples.map(({ image }) => image)).toEqual([null, null]);
  });

  it.each([
    ['an older format', { format: 0 }],
    ['a candidate without answers', { names: ['base', 'best', 'third'] }],
    ['no samples', { samples: [] }],
    ['a sample without its truth', { samples: [{ ...sample(0), truth: undefined }] }],
  ])('is nothing where what is stored has %s', async (_, change) => {
    await keepEvaluation(kept);
    const stored = await read<object>(['evaluation', 'last']);
    await commit({ put: [[['evaluation', 'last'], { ...stored, ...change }]] });
    expect(await readEvaluation()).toBeNull();
  });
});
