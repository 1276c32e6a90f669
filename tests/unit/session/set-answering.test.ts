import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { EvaluatedSet, EvaluateRequest } from '../../../src/protocol/evaluation-messages.ts';
import type { PathFile, TrainerEvent } from '../../../src/protocol/messages.ts';
import { AnswerTimes } from '../../../src/session/answer-times.ts';
import { Pausing } from '../../../src/session/pausing.ts';
import { tokenEnds } from '../../../src/session/token-ends.ts';
import { pretendBrowser } from '../storage/pretend-browser.ts';
import { demoConfig, demoFiles, fakeSession, fetchPublic, type FakeSession } from './fake-engine.ts';

beforeEach(() => {
  pretendBrowser();
  vi.stubGlobal('fetch', fetchPublic);
});

const config = demoConfig({ eval_batch_size: 2 });

async function ready(train: PathFile[], hear?: (event: TrainerEvent) => void): Promise<FakeSession> {
  const parts = fakeSession(undefined, hear);
  await parts.session.handle({ type: 'loadModel', source: { kind: 'demo' }, config });
  await parts.session.handle({ type: 'loadDataset', source: { kind: 'files', train, validation: [] }, config });
  return parts;
}

const evaluate = async ({ session }: FakeSession, change: Partial<EvaluateRequest> = {}) =>
  (await session.handle({ type: 'evaluate', turn: 4, split: 'train', limit: 0, candidates: [null, { kind: 'demo' }], maxNewTokens: 16, config, ...change })) as EvaluatedSet;
const news = ({ events }: FakeSession) => events.filter((event) => event.type === 'evaluating');
const samplesOf = (parts: FakeSession) => news(parts).flatMap(({ samples }) => samples);

describe('a set', () => {
  it('is answered by all candidates, batch by batch, in its own order', async () => {
    const parts = await ready(demoFiles(5));
    const set = await evaluate(parts);
    expect(set).toMatchObject({ names: [null, 'demo'], answered: 5, total: 5, stopped: false, sharedVision: [true, true], refused: 0 });
    expect(news(parts).map(({ done }) => done)).toEqual([0, 2, 4, 5]);
    expect(news(parts).every(({ turn, total }) => turn === 4 && total === 5)).toBe(true);
    expect(news(parts)[1].secondsLeft).toBeGreaterThanOrEqual(0);
    const samples = samplesOf(parts);
    expect(samples.map(({ index }) => index)).toEqual([0, 1, 2, 3, 4]);
    for (const { answers, truth, truthBoxes, image, prompt } of samples) {
      expect(answers.map(({ tokens }) => tokens)).toSatisfy((counts: number[]) => counts[1] === counts[0] + 1);
      expect(answers[0].certainty.probabilities).toHaveLength(answers[0].tokens);
      expect(answers[0].certainty.ends.at(-1)).toBe(answers[0].text.length);
      expect(answers[0].ended).toBe('stop');
      expect(truth.includes('<box>')).toBe(truthBoxes.length > 0);
      expect(image).toBeInstanceOf(Blob);
      expect(prompt).not.toContain('<image>');
    }
  });

  it('takes the first samples only, and cuts answers, as asked', async () => {
    const parts = await ready(demoFiles(5));
    expect(await evaluate(parts, { limit: 3, maxNewTokens: 2 })).toMatchObject({ answered: 3, total: 3 });
    expect(samplesOf(parts).flatMap(({ answers }) => answers.map(({ ended }) => ended))).toEqual(new Array(6).fill('length'));
  });

  it('keeps samples without truth, and names those that cannot be asked', async () => {
    const files = demoFiles(4);
    const records = JSON.parse(await files[0].file.text()) as { id: string; image: string; conversations: object[] }[];
    records[1].conversations.pop();
    const images = files.slice(1).map(({ path, file }) => ({ path, file: path === records[2].image ? file.slice(0, 200) : file }));
    const parts = await ready([{ path: 'train.json', file: new Blob([JSON.stringify(records)]) }, ...images]);
    const set = await evaluate(parts);
    expect(set).toMatchObject({ answered: 3, total: 4, refused: 1 });
    expect(set.problems[0]).toMatchObject({ code: 'image', sample: 3 });
    expect(samplesOf(parts).map(({ index, truth }) => [index, truth === ''])).toEqual([[0, false], [1, true], [3, false]]);
  });

  it('waits while it is held, and ends with what all have answered', async () => {
    const parts = await ready(demoFiles(6), (event) => {
      if (event.type !== 'evaluating') return;
      if (event.done === 2 && !event.paused) void parts.session.handle({ type: 'pauseEvaluation', paused: true });
      else if (event.paused) {
        setTimeout(() => void parts.session.handle({ type: 'pauseEvaluation', paused: false }), 5);
        setTimeout(() => void parts.session.handle({ type: 'stopEvaluation' }), 6);
      }
    });
    const set = await evaluate(parts);
    expect(set.stopped).toBe(true);
    expect(set.answered).toBe(samplesOf(parts).length);
    expect(set.answered).toBeLessThan(6);
    expect(news(parts).some(({ paused, secondsLeft }) => paused && secondsLeft === null)).toBe(true);
  });

  it('is refused where there is nothing to answer, nobody to answer, or a run', async () => {
    const parts = await ready(demoFiles(4));
    await expect(evaluate(parts, { split: 'validation' })).rejects.toThrow('no sample in the validation split');
    await expect(evaluate(parts, { candidates: [] })).rejects.toThrow('Nobody is to answer');
    await parts.session.handle({ type: 'start', runId: 'busy', name: 'busy', config });
    await expect(evaluate(parts)).rejects.toThrow('A run is under way');
    const finished = parts.next('finished');
    await parts.session.handle({ type: 'stop' });
    await finished;
  });
});

describe('the parts of it', () => {
  it('tell where tokens end, whatever bytes they hold', () => {
    const bytes = [[0xe4], [0xbd], [0xa0], [0x61, 0x62], [0xff], [0x63]];
    const decode = (ids: readonly number[]) => new TextDecoder().decode(Uint8Array.from(ids.flatMap((id) => bytes[id])));
    expect(tokenEnds([0, 1, 2, 3], '你ab', decode)).toEqual([0, 0, 1, 3]);
    const odd = decode([0, 1, 2, 4, 5]);
    expect(tokenEnds([0, 1, 2, 4, 5], odd, decode).at(-1)).toBe(odd.length);
  });

  it('count a shared look for each that shares it, and no other’s turn', () => {
    let now = 1000;
    const times = new AnswerTimes([true, false], 2, () => now);
    times.look('begun');
    now += 300;
    times.look('done');
    now += 100;
    times.hear([[1], [1]], 0);
    now += 50;
    times.hear([[], [2]], 0);
    now += 500;
    times.hear([[1], [1]], 1);
    expect(times.seconds).toEqual([[0.4, 0.45], [0.5, 0.5]]);
  });

  it('count no time while held', async () => {
    const pausing = new Pausing();
    pausing.pause(true);
    const going = pausing.goOn();
    await new Promise((resolve) => setTimeout(resolve, 20));
    pausing.pause(false);
    expect(await going).toBe(true);
    expect(pausing.heldFor).toBeGreaterThanOrEqual(15);
    pausing.stop();
    expect(await pausing.goOn()).toBe(false);
  });
});
