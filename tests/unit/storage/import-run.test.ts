import { unzipSync, zipSync } from 'fflate';
import { beforeEach, describe, expect, it } from 'vitest';
import { writeSafetensors } from '../../../src/checkpoint/safetensors.ts';
import { zipFiles } from '../../../src/checkpoint/zip.ts';
import type { TrainRow } from '../../../src/protocol/log.ts';
import { readKeys } from '../../../src/storage/database.ts';
import { importRun } from '../../../src/storage/import-run.ts';
import { rangeOf } from '../../../src/storage/records.ts';
import { measureRun } from '../../../src/storage/run-size.ts';
import { RunWriter } from '../../../src/storage/run-writer.ts';
import { deleteRun, emptyBin, labelRun, listRuns, readAnswers, readLog, readRunFiles } from '../../../src/storage/runs.ts';
import { toyConfig, toyRecord, toyRun } from '../training/toy-run.ts';
import { fillDisk, pretendBrowser } from './pretend-browser.ts';

beforeEach(() => {
  pretendBrowser();
});

const encode = (text: string) => new TextEncoder().encode(text);
const tensors = () => writeSafetensors([{ name: 'a', dtype: 'F32', shape: [3], data: new Float32Array([1, 2, 3]) }]);
const adapter = () => new Map([['adapter_config.json', encode('{"r": 3}')], ['adapter_model.safetensors', tensors()]]);
const row = (step: number): TrainRow => ({
  step, epoch: step, loss: 1 / step, learning_rate: 1e-4, grad_norm: 1, tokens_per_second: 1, step_time_ms: 1, gpu_memory_mb: 1,
  num_tokens: step, samples: step, elapsed_s: step, time: '2026-01-01T00:00:00.000Z',
});

async function store(id: string): Promise<void> {
  const writer = await RunWriter.create(toyRecord(id, toyConfig({ learning_rate: 0.01 })));
  writer.append([{ kind: 'train', row: row(1) }, { kind: 'train', row: row(2) }], { status: 'stopped', step: 2, lastLoss: 0.5, finalMetrics: { eval_loss: 0.4, note: null } });
  writer.append([{ kind: 'val', row: { step: 2, epoch: 2, eval_loss: 0.4, eval_runtime: 1, eval_samples: 1, time: '2026-01-01T00:00:00.000Z' } }]);
  writer.notice({ step: 2, level: 'info', message: 'hello', time: '2026-01-01T00:00:00.000Z' });
  const state = new Map([...adapter(), ['optimizer.safetensors', tensors()], ['trainer_state.json', encode('{}')]]);
  await writer.writeDirectory('resume', 2, state);
  await writer.writeDirectory('best', 2, adapter(), { best: { step: 2, epoch: 2, metric: 'eval_loss', value: 0.4, path: 'best' } });
  const truth = '检测到1个设备：\n1. 路灯\n   状态：亮\n   <box>(10,20),(30,40)</box>';
  await writer.writeAnswers(2, [], `${JSON.stringify({ step: 2, index: 0, id: 'a', prompt: 'p', truth, answer: 'none' })}\n`);
  await writer.flush();
}

async function pack(id: string): Promise<Blob> {
  return zipFiles((await readRunFiles(id)).map(({ path, file }) => ({ path, data: file })));
}

async function unpack(id: string): Promise<Record<string, Uint8Array>> {
  return unzipSync(new Uint8Array(await (await pack(id)).arrayBuffer()));
}

const archive = (files: Record<string, Uint8Array>) => ({ path: 'run.zip', file: new Blob([zipSync(files) as Uint8Array<ArrayBuffer>]) });

describe('an exported run', () => {
  it('comes back with log, settings, files, answers, tags and notes, and can be resumed', async () => {
    await store('there');
    await labelRun('there', { tags: [' first ', 'first', '', 'long run'], notes: 'Works.' });
    const before = (await listRuns()).find(({ id }) => id === 'there');
    const log = await readLog('there');
    const zip = await pack('there');
    await deleteRun('there');
    await emptyBin(-1000);
    expect((await readKeys(rangeOf.files('there'))).length).toBe(0);

    expect(await importRun({ path: 'there.zip', file: zip })).toEqual({ id: 'there', name: 'Toy' });
    expect((await listRuns()).find(({ id }) => id === 'there')).toEqual(before);
    expect(before).toMatchObject({ tags: ['first', 'long run'], notes: 'Works.', resumable: true, status: 'stopped' });
    expect(await readLog('there')).toEqual(log);
    expect((await readAnswers('there')).map(({ id, truthBoxes, image }) => [id, truthBoxes.length, image])).toEqual([['a', 1, null]]);
    const again = await unpack('there');
    const first = unzipSync(new Uint8Array(await zip.arrayBuffer()));
    expect(Object.keys(again).sort()).toEqual(Object.keys(first).sort());
    for (const [path, bytes] of Object.entries(first)) expect(again[path], path).toEqual(bytes);
  });

  it('beside the run it came from gets an id of its own, also from inside a folder', async () => {
    await store('twice');
    const files = Object.fromEntries(Object.entries(await unpack('twice')).map(([path, bytes]) => [`outer/${path}`, bytes]));
    const { id } = await importRun(archive(files));
    expect(id).toMatch(/^twice-[0-9a-f]{8}$/);
    expect(await readLog(id)).toEqual(await readLog('twice'));
    expect(await measureRun(id)).toBeGreaterThan(1000);
  });

  it('trains on as if it had never left', async () => {
    const whole = await toyRun({ id: 'whole' });
    const half = await toyRun({ id: 'half', prepare: ({ model, run }) => (model.beforeMicroBatch = (count) => (count === 7 ? run.control.stop() : undefined)) });
    expect(half.status).toBe('stopped');
    const { id } = await importRun({ path: 'half.zip', file: await pack('half') });
    const resumed = await toyRun({ id, resume: true });
    expect(resumed.log.train_history.at(-1)?.loss).toBe(whole.log.train_history.at(-1)?.loss);
  });

  it('leaves nothing behind when the disk is full', async () => {
    await store('big');
    const zip = await pack('big');
    let written = 0;
    const makeRoom = fillDisk((key) => Array.isArray(key) && key[0] === 'file' && ++written > 2);
    await expect(importRun({ path: 'big.zip', file: zip })).rejects.toMatchObject({ code: 'storage-full' });
    makeRoom();
    const ids = (await listRuns()).map(({ id }) => id).filter((id) => id.startsWith('big'));
    expect(ids).toEqual(['big']);
    expect((await readKeys(rangeOf.files('big'))).length).toBe(6);
  });
});

describe('a hostile or damaged archive', () => {
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  type Files = Record<string, Uint8Array>;
  const manifest = (files: Files, change: (manifest: Record<string, unknown>) => void): Files => {
    const parsed = JSON.parse(text(files['lorikeet_run.json'])) as Record<string, unknown>;
    change(parsed);
    return { ...files, 'lorikeet_run.json': encode(JSON.stringify(parsed)) };
  };
  const without = (files: Files, path: string) => Object.fromEntries(Object.entries(files).filter(([name]) => name !== path));

  it.each<[string, (files: Files) => Files, string, RegExp]>([
    ['not a run', (files) => without(files, 'lorikeet_run.json'), 'file-missing', /holds no lorikeet_run\.json/],
    ['without its log', (files) => without(files, 'training_log.json'), 'file-missing', /lacks training_log\.json/],
    ['without a listed file', (files) => without(files, 'best/adapter_model.safetensors'), 'file-missing', /lacks best\/adapter_model/],
    ['climbing out', (files) => ({ ...files, '../../evil.json': encode('x') }), 'file-corrupt', /points outside the archive/],
    ['climbing directory name', (files) => manifest(files, (m) => { m.directories = { '../best': { step: 1, saved_at: '2026-01-01', files: [] } }; }), 'file-corrupt', /is no directory of a run/],
    ['climbing file name', (files) => manifest(files, (m) => { (m.directories as Record<string, { files: { path: string }[] }>).best.files[0].path = '../x'; }), 'file-corrupt', /plain file name/],
    ['hostile id', (files) => manifest(files, (m) => { m.id = '../<script>'; }), 'file-corrupt', /must be a run id/],
    ['unknown setting', (files) => manifest(files, (m) => { m.config = { ...(m.config as object), evil: 1 }; }), 'config', /evil is not known/],
    ['newer format', (files) => manifest(files, (m) => { m.format = 2; }), 'file-corrupt', /format/],
    ['changed tensor', (files) => { const bytes = files['best/adapter_model.safetensors'].slice(); bytes[bytes.length - 1] ^= 1; return { ...files, 'best/adapter_model.safetensors': bytes }; }, 'file-corrupt', /checksum differs/],
    ['cut tensor file', (files) => ({ ...files, 'best/adapter_model.safetensors': files['best/adapter_model.safetensors'].slice(0, -4) }), 'file-corrupt', /bytes, expected/],
    ['row without a step', (files) => ({ ...files, 'training_log.json': encode(text(files['training_log.json']).replace('"step": 1,', '"step": "one",')) }), 'file-corrupt', /train_history/],
    ['a log that is a list', (files) => ({ ...files, 'training_log.json': encode('[]') }), 'file-corrupt', /must hold one JSON object/],
    ['a broken answer', (files) => ({ ...files, 'val_predictions.jsonl': encode('{"step": 1}\n') }), 'file-corrupt', /val_predictions/],
    ['a bomb', (files) => ({ ...files, 'best/bomb.json': new Uint8Array(8 * 2 ** 20) }), 'file-corrupt', /claims to unpack to 200 times/],
  ])('is refused: %s', async (_what, change, code, message) => {
    await store('hostile').catch(() => undefined);
    const before = (await listRuns()).length;
    await expect(importRun(archive(change(await unpack('hostile'))))).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
    expect((await listRuns()).length).toBe(before);
  });

  it('is refused: no ZIP at all', async () => {
    await expect(importRun({ path: 'run.zip', file: new Blob(['hello']) })).rejects.toMatchObject({ code: 'file-corrupt' });
  });

  it('is refused: tensors that do not fill their file', async () => {
    await store('tensors');
    const files = await unpack('tensors');
    const bytes = files['best/adapter_model.safetensors'].slice();
    bytes[0] = 255;
    await expect(importRun(archive({ ...files, 'best/adapter_model.safetensors': bytes }))).rejects.toMatchObject({ code: 'file-corrupt', message: expect.stringMatching(/header/) });
  });
});
