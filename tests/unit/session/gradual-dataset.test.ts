/** What a run trains on does not depend on how far the check in the background has come. */
import { describe, expect, it, vi } from 'vitest';
import { type Dataset, type DatasetSample } from '../../../src/data/dataset.ts';
import { LorikeetError } from '../../../src/protocol/errors.ts';
import { GradualDataset } from '../../../src/session/gradual-dataset.ts';
import type { SessionSample } from '../../../src/session/encoded-dataset.ts';

const sample = (i: number): DatasetSample => ({ id: `s${i}`, conversation: [{ role: 'user', content: [{ type: 'text', text: 'q'.repeat(1 + (i % 50)) }] }, { role: 'assistant', content: [{ type: 'text', text: `a${i}` }] }], media: [], place: { file: 'a.jsonl', line: i + 1, sample: i + 1 } });
const samples = (count: number) => Array.from({ length: count }, (_, i) => sample(i));

function dataset(train: DatasetSample[], validation: DatasetSample[] = []): Dataset {
  return { kind: 'conversations', train, validation, rejected: 1, images: 0, videos: 0, problems: [], problemCount: 0, errorCount: 0, annotations: [], pixelSuspects: [], unknown: [] };
}

/** Samples 3, 4 and 9 of each ten cannot be used. */
function encode(source: DatasetSample): Promise<SessionSample> {
  const i = Number(source.id.slice(1));
  if ([3, 4, 9].includes(i % 10)) return Promise.reject(new LorikeetError('sample-too-long', `Sample ${source.id} is too long.`, 'Shorten it.', source.place));
  const ids = new Int32Array(10 + (i % 50));
  return Promise.resolve({ source, encoded: { id: source.id, inputIds: ids, labels: ids, labelTokens: 2, positionIds: ids, ropeDelta: 0, media: [], visionRows: new Int32Array(0), pixels: () => Promise.reject(new Error('none')) } as unknown as SessionSample['encoded'] });
}

const idsOf = async (data: GradualDataset, indices: number[]) => (await Promise.all(indices.map((i) => data.train.at(i)))).map(({ source }) => source.id);
const idle = () => false;

describe('samples of a large dataset', () => {
  const asked = [0, 3, 4, 9, 99, 50];
  const expected = ['s0', 's5', 's5', 's10', 's0', 's50'];

  it('are the same before, during and after the check, faulty ones replaced by the next usable', async () => {
    const before = new GradualDataset(dataset(samples(100)), encode, 'k');
    expect(await idsOf(before, asked)).toEqual(expected);
    const after = new GradualDataset(dataset(samples(100)), encode, 'k');
    await after.check(() => undefined, idle);
    expect(await idsOf(after, asked)).toEqual(expected);
    const during = new GradualDataset(dataset(samples(100)), encode, 'k');
    const checking = during.check(() => undefined, idle);
    expect(await idsOf(during, asked)).toEqual(expected);
    await checking;
    expect(await before.fingerprint()).toBe(await after.fingerprint());
    expect(before.train.length).toBe(after.train.length);
  });

  it('say which were replaced, and the check counts every fault once', async () => {
    const data = new GradualDataset(dataset(samples(20), samples(10)), encode, 'k');
    data.onReplaced = vi.fn();
    await data.train.at(3);
    expect(vi.mocked(data.onReplaced).mock.calls.map(([fault]) => fault.place.sample)).toEqual([4, 5]);
    const progress = vi.fn();
    await data.check(progress, idle);
    expect(progress.mock.lastCall).toEqual([30, 30]);
    const { train, validation, problems } = data.measured();
    expect([train.length, validation.length, problems.errorCount, data.rejected]).toEqual([14, 7, 9, 10]);
    expect(problems.listed[0]).toMatchObject({ code: 'sample-too-long', file: 'a.jsonl', line: 4 });
    expect(await data.validation.own(3)).toBeNull();
    expect((await data.validation.own(2))!.source.id).toBe('s2');
  });

  it('are planned by the longest from the start, each once', async () => {
    const data = new GradualDataset(dataset(samples(5000)), encode, 'k');
    const planned = await data.planned();
    expect(planned).toHaveLength(5000);
    expect(Math.max(...planned.map(({ sample }) => sample.encoded.inputIds.length))).toBe(10 + 48);
    await data.check(() => undefined, idle);
    expect((await data.planned()).filter(({ index }, i) => index === i)).toHaveLength(3500);
  });

  it('to validate on are planned by the longest of those chosen, without the faulty', async () => {
    const data = new GradualDataset(dataset(samples(2), samples(5000)), encode, 'k');
    const chosen = Array.from({ length: 1000 }, (_, i) => 5 * i);
    const planned = await data.plannedValidation(chosen);
    expect(planned.length).toBeGreaterThan(16);
    expect(planned.length).toBeLessThan(65);
    expect(planned.every(({ index }) => index % 5 === 0)).toBe(true);
    const usable = await Promise.all(chosen.map((index) => data.validation.own(index)));
    const longest = Math.max(...usable.map((sample) => sample?.encoded.inputIds.length ?? 0));
    expect(Math.max(...planned.map(({ sample }) => sample.encoded.inputIds.length))).toBe(longest);
  });

  it('are told from others by text and by settings', async () => {
    const print = (train: DatasetSample[], settings: string) => new GradualDataset(dataset(train), encode, settings).fingerprint();
    const own = await print(samples(5), 'k');
    expect(await print(samples(5), 'other')).not.toBe(own);
    expect(await print([...samples(4), sample(7)], 'k')).not.toBe(own);
    expect(await print([...samples(5)].reverse(), 'k')).not.toBe(own);
  });

  it('give up only when none can be used', async () => {
    const none = new GradualDataset(dataset([sample(3), sample(4)]), encode, 'k');
    await expect(none.train.at(1)).rejects.toMatchObject({ code: 'dataset', message: expect.stringMatching(/No sample can be used: Sample s4 is too long/) });
  });

  it('are looked at no further once the check is stopped', async () => {
    const data = new GradualDataset(dataset(samples(100)), encode, 'k');
    const seen = vi.fn();
    await data.check((done) => (seen(done), done === 10 ? data.stop() : undefined), idle);
    expect(seen).toHaveBeenCalledTimes(10);
  });
});
