/** Very many samples: the first are looked at while the others are still being checked. */
import { beforeEach, expect, it, vi } from 'vitest';
import type { DatasetSummary, SamplePreview } from '../../../src/protocol/messages.ts';
import { pretendBrowser } from '../storage/pretend-browser.ts';
import { demoConfig, fakeSession, fetchPublic } from './fake-engine.ts';

beforeEach(() => {
  pretendBrowser();
  vi.stubGlobal('fetch', fetchPublic);
});

it('2,100 samples are shown at once, and what checking finds is said when it is found', async () => {
  const config = demoConfig();
  const { session } = fakeSession();
  await session.handle({ type: 'loadModel', source: { kind: 'demo' }, config });
  const row = (i: number) => JSON.stringify({ id: `r${i}`, messages: [{ role: 'user', content: `Question ${i}` }, { role: 'assistant', content: i === 2000 ? 'word '.repeat(config.max_length) : 'Yes.' }] });
  const train = [{ path: 'train.jsonl', file: new Blob([Array.from({ length: 2100 }, (_, i) => row(i)).join('\n')]) }];
  const first = (await session.handle({ type: 'loadDataset', source: { kind: 'files', train, validation: [] }, config })) as DatasetSummary;
  expect(first).toMatchObject({ unchecked: true, trainSamples: 2100, rejected: 0, tokens: null });

  let checked = false;
  const checking = session.handle({ type: 'checkDataset', config }).then((summary) => ((checked = true), summary as DatasetSummary));
  const sample = (await session.handle({ type: 'sample', split: 'train', index: 2050 })) as SamplePreview;
  expect([sample.id, sample.tokens, checked]).toEqual(['r2050', null, false]);

  const summary = await checking;
  expect(summary).toMatchObject({ trainSamples: 2099, rejected: 1, errorCount: 1, problems: [{ line: 2001, code: 'sample-too-long' }] });
  expect(summary).not.toHaveProperty('unchecked');
  expect(((await session.handle({ type: 'sample', split: 'train', index: 0 })) as SamplePreview).tokens?.label).toBeGreaterThan(0);
}, 60_000);

const longRows = (count: number, bad: readonly number[] = []) => {
  const row = (i: number) => JSON.stringify({ id: `r${i}`, messages: [{ role: 'user', content: `Question ${i} ${'?'.repeat(900)}` }, { role: 'assistant', content: bad.includes(i) ? '' : 'Yes.' }] });
  return [{ path: 'train.jsonl', file: new Blob([Array.from({ length: count }, (_, i) => row(i)).join('\n')]) }];
};

it('of a long file the beginning is shown before the rest is read, and faults are said when all is', async () => {
  const config = demoConfig({ validation_split: 0.1 });
  const { session } = fakeSession();
  const train = longRows(2300, [5, 2250]);
  const first = (await session.handle({ type: 'loadDataset', source: { kind: 'files', train, validation: [] }, config })) as DatasetSummary;
  expect(first).toMatchObject({ unchecked: true, beginning: true, trainSamples: 199, validationSamples: 0, problemCount: 0, rejected: 0 });
  expect(((await session.handle({ type: 'sample', split: 'train', index: 5 })) as SamplePreview).id).toBe('r6');
  const whole = (await session.handle({ type: 'checkDataset', config })) as DatasetSummary;
  expect(whole).toMatchObject({ trainSamples: 2068, validationSamples: 230, errorCount: 2, rejected: 2 });
  expect(whole).not.toHaveProperty('beginning');
});

it('a run begins before the check has ended, with the samples and the faults that it would have had afterwards', async () => {
  const config = demoConfig({ max_length: 40, max_steps: 4, eval_steps: 0 });
  const row = (i: number) => JSON.stringify({ question: `Question ${i}`, answer: i % 2 === 0 ? 'word '.repeat(40) : `Yes ${i}.` });
  const train = [{ path: 'train.jsonl', file: new Blob([Array.from({ length: 2200 }, (_, i) => row(i)).join('\n')]) }];
  const losses = async (wait: boolean) => {
    const { session, next, events } = fakeSession();
    await session.handle({ type: 'loadModel', source: { kind: 'demo' }, config });
    await session.handle({ type: 'loadDataset', source: { kind: 'files', train, validation: [] }, config });
    let checked = false;
    const checking = session.handle({ type: 'checkDataset', config }).then((summary) => ((checked = true), summary as DatasetSummary));
    if (wait) await checking;
    const finished = next('finished');
    await session.handle({ type: 'start', runId: `run-${wait}`, name: 'r', config });
    expect(checked).toBe(wait);
    const { log } = await finished;
    expect(await checking).toMatchObject({ trainSamples: 1100, errorCount: 1100 });
    const replaced = events.filter((event) => event.type === 'notice' && event.notice.key === 'sampleReplaced');
    return { losses: log.train_history.map(({ loss }) => loss), replaced: replaced.length };
  };
  const early = await losses(false);
  expect(early.losses).toHaveLength(4);
  expect(early.replaced).toBeGreaterThan(0);
  expect(await losses(true)).toEqual(early);
}, 60_000);
