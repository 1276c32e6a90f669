/** A stopped run packed for a cluster, on pretended storage. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { unzipSync } from 'fflate';
import { beforeEach, describe, expect, it } from 'vitest';
import { writeSafetensors } from '../../../src/checkpoint/safetensors.ts';
import { packHandoff } from '../../../src/session/handoff.ts';
import type { RunRecord } from '../../../src/storage/records.ts';
import { RunWriter } from '../../../src/storage/run-writer.ts';
import { keepDataset, type DatasetReference } from '../../../src/storage/sources.ts';
import { emptyTotals } from '../../../src/training/log.ts';
import { writeTrainerState } from '../../../src/training/trainer-state.ts';
import { pretendBrowser } from '../storage/pretend-browser.ts';
import { methodConfig } from '../training/toy-methods.ts';
import { toyConfig, toyRecord } from '../training/toy-run.ts';

const image = new Blob([readFileSync(join(import.meta.dirname, '../../../public/demo/data/images/000001.png'))]);
const rows = ['one', 'two', 'three'].map((answer, i) => ({ id: `s${i}`, image: 'pictures/a b.png', conversations: [{ from: 'human', value: '<image>\nWhat?' }, { from: 'gpt', value: answer }] }));
const files = { kind: 'files' as const, train: [{ path: 'train.json', file: new Blob([JSON.stringify(rows)]) }, { path: 'pictures/a b.png', file: image }], validation: [] };
const tensors = () => writeSafetensors([{ name: 'a', dtype: 'F32', shape: [1], data: new Float32Array([1]) }]);
const encode = (text: string) => new TextEncoder().encode(text);

let browser: ReturnType<typeof pretendBrowser>;
let number = 0;
beforeEach(() => {
  browser = pretendBrowser();
});

async function stored(dataset: DatasetReference, more: Partial<RunRecord> = {}, state = true): Promise<string> {
  const config = toyConfig({ validation_split: 0.34 });
  const record = { ...toyRecord(`handed-${number++}`, config), name: 'Ro/ad\n`1`', totalSteps: 9, dataset, model: { kind: 'files' as const, name: 'mine', fingerprint: 'f', handle: null }, modelName: 'mine', ...more };
  const writer = await RunWriter.create(record);
  const context = { config, epoch: 0.5, totalSteps: 9, best: null, rows: [] };
  if (state) {
    await writer.writeDirectory('resume', 4, new Map([
      ['adapter_config.json', encode('{"r": 1}')],
      ['adapter_model.safetensors', tensors()],
      ['optimizer.safetensors', tensors()],
      ['trainer_state.json', writeTrainerState({ step: 4, dataFingerprint: 'abc', totals: emptyTotals() }, context)],
    ]));
  }
  await writer.flush();
  return record.id;
}

const packed = (runId: string, openData: typeof files | null = null, signal = new AbortController().signal) =>
  packHandoff({ kind: 'pack', runId, openModel: null, openData }, 'https://example.org/demo/', { signal, onProgress: () => undefined });

describe('a stopped run', () => {
  it('is packed with state, samples and what goes on from there', async () => {
    const { name, zip } = await packed(await stored(await keepDataset(files)));
    expect(name).toBe('Ro-ad-`1`-step-4.zip');
    const all = Object.fromEntries(Object.entries(unzipSync(new Uint8Array(await zip.arrayBuffer()))).map(([path, bytes]) => [path.slice(path.indexOf('/') + 1), bytes]));
    expect(Object.keys(all)).toEqual(expect.arrayContaining([
      'README.md', 'train.py', 'run.json', 'requirements.txt', 'training_log.json', 'accelerate/ddp.yaml', 'lorikeet/order.py', 'checkpoint/adapter_config.json',
      'checkpoint/adapter_model.safetensors', 'checkpoint/optimizer.safetensors', 'checkpoint/trainer_state.json', 'data/train.jsonl', 'data/validation.jsonl', 'data/images/000001.png',
    ]));
    const text = (path: string) => new TextDecoder().decode(all[path]);
    expect(JSON.parse(text('run.json'))).toMatchObject({ data_fingerprint: 'abc', step: 4, total_steps: 9, base_model: { id: 'mine', place: 'folder' }, starts_from_adapter: false });
    expect(JSON.parse(text('checkpoint/trainer_state.json'))).not.toHaveProperty('lorikeet');
    // One of three is kept aside, the same one as in training.
    expect(text('data/train.jsonl').trim().split('\n')).toHaveLength(2);
    expect(text('data/validation.jsonl').trim().split('\n')).toHaveLength(1);
    expect(all['data/images/000001.png']).toEqual(new Uint8Array(await image.arrayBuffer()));
  });

  it('of a run with built-in rewards has prompts with their true answers', async () => {
    const { zip } = await packed(await stored(await keepDataset(files), { config: methodConfig({ method: 'grpo-trl', num_generations: 2, reward_scheme: 'gated' }) }));
    const entries = Object.entries(unzipSync(new Uint8Array(await zip.arrayBuffer())));
    const lines = new TextDecoder().decode(entries.find(([path]) => path.endsWith('/data/train.jsonl'))![1]).trim().split('\n');
    expect(JSON.parse(lines[0])).toMatchObject({ prompt: [{ role: 'user' }], solution: 'one', images: ['images/000001.png'] });
  });

  it('takes the data that are open in the page where no copy was kept', async () => {
    const reference = { ...(await keepDataset(files)), kept: false } as DatasetReference;
    expect((await packed(await stored(reference), files)).zip.size).toBeGreaterThan(1000);
  });
});

describe('nothing is packed', () => {
  const zips = () => browser.root.entries.has('exports');

  it('when the data are no longer there', async () => {
    const reference = { ...(await keepDataset(files)), kept: false } as DatasetReference;
    await expect(packed(await stored(reference))).rejects.toMatchObject({ code: 'file-missing', message: expect.stringContaining('dataset of this run is not in the browser'), advice: expect.stringContaining('Nothing was packed') });
    expect(zips()).toBe(false);
  });

  it('of a run without a state, of a finished one, and of rewards that are JavaScript', async () => {
    const kept = await keepDataset(files);
    await expect(packed(await stored(kept, {}, false))).rejects.toMatchObject({ code: 'resume' });
    await expect(packed(await stored(kept, { totalSteps: 4 }))).rejects.toMatchObject({ code: 'resume' });
    const custom_rewards = [{ name: 'short', weight: 1, source: 'function reward() { return 1; }' }];
    await expect(packed(await stored(kept, { config: methodConfig({ method: 'grpo', custom_rewards }) }))).rejects.toMatchObject({ code: 'config', message: expect.stringContaining('"short"') });
    expect(zips()).toBe(false);
  });

  it('when it is cancelled', async () => {
    const cancelling = new AbortController();
    cancelling.abort(new DOMException('Cancelled.', 'AbortError'));
    await expect(packed(await stored(await keepDataset(files)), null, cancelling.signal)).rejects.toMatchObject({ name: 'AbortError' });
    expect(zips()).toBe(false);
  });
});
