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
