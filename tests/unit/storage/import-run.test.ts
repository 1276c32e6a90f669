import { beforeEach, describe, expect, it } from 'vitest';
import { readKeys } from '../../../src/storage/database.ts';
import { importRun } from '../../../src/storage/import-run.ts';
import { lockRun } from '../../../src/storage/locks.ts';
import { rangeOf } from '../../../src/storage/records.ts';
import { measureRun } from '../../../src/storage/run-size.ts';
import { readAnswers, readCompletions, readLog } from '../../../src/storage/runs.ts';
import { toyRun } from '../training/toy-run.ts';
import { archive, decode, encode, pack, pictureBytes, storeGrpo, storeSft, unpack, withFile, withManifest } from './exported-runs.ts';
import type { Files } from './exported-runs.ts';
import { fillDisk, pretendBrowser } from './pretend-browser.ts';

beforeEach(() => {
  pretendBrowser();
});

const without = (files: Files, path: string) => Object.fromEntries(Object.entries(files).filter(([name]) => name !== path));

/** The archive of the first format: no list of files, no pictures, completions without groups. */
function inFirstFormat(files: Files): Files {
  const kept = Object.fromEntries(Object.entries(files).filter(([path]) => !path.startsWith('pictures/') && path !== 'val_answers.jsonl'));
  return withManifest(kept, (manifest) => {
    manifest.format = 1;
    delete (manifest as Partial<typeof manifest>).files;
    for (const directory of Object.values(manifest.directories)) delete directory.rolling;
  });
}

/** Every key in storage. */
const allKeys = () => readKeys(IDBKeyRange.lowerBound(['']));

describe('an exported run', () => {
  it('of the first format still comes back: answers without pictures, no sampled answers', async () => {
    await storeGrpo('first');
    const { id } = await importRun(archive(inFirstFormat(await unpack('first'))));
    expect(await readLog(id)).toEqual(await readLog('first'));
    expect((await readAnswers(id)).map(({ id, truthBoxes, image }) => [id, truthBoxes.length, image])).toEqual([['sample 5', 0, null]]);
    expect(await readKeys(rangeOf.completions(id))).toEqual([]);
    await storeSft('first-sft');
    const { id: sft } = await importRun(archive(inFirstFormat(await unpack('first-sft'))));
    expect((await readAnswers(sft)).map(({ answer, before }) => [answer, before?.answer])).toEqual([['a', 'a']]);
  });

  it('takes room as before', async () => {
    await storeGrpo('room');
    const { id } = await importRun(archive(await unpack('room')));
    expect(Math.abs((await measureRun(id)) - (await measureRun('room')))).toBeLessThan(50);
  });

  it('trains on as if it had never left', async () => {
    const whole = await toyRun({ id: 'whole' });
    const half = await toyRun({ id: 'half', prepare: ({ model, run }) => (model.beforeMicroBatch = (count) => (count === 7 ? run.control.stop() : undefined)) });
    expect(half.status).toBe('stopped');
    const { id } = await importRun({ path: 'half.zip', file: await pack('half') });
    const resumed = await toyRun({ id, resume: true });
    expect(resumed.log.train_history.at(-1)?.loss).toBe(whole.log.train_history.at(-1)?.loss);
  });

  it.each(['file', 'completions', 'sample-image', 'predictions', 'head'])('leaves nothing behind when the disk is full at a record of the kind %s', async (kind) => {
    await storeGrpo(`big-${kind}`);
    const zip = await pack(`big-${kind}`);
    const before = await allKeys();
    const makeRoom = fillDisk((key) => Array.isArray(key) && key[0] === kind);
    await expect(importRun({ path: 'big.zip', file: zip })).rejects.toMatchObject({ code: 'storage-full' });
    makeRoom();
    expect(await allKeys()).toEqual(before);
    await expect(lockRun(`big-${kind}`)).resolves.toBeTypeOf('function');
  });
});

const image = 'pictures/sample-0.png';
const table = 'completions/completions_00001.jsonl';

/** A line of a JSONL file with other fields. */
function withLine(files: Files, path: string, line: number, fields: object): Promise<Files> {
  const lines = decode(files[path]).split('\n');
  lines[line - 1] = JSON.stringify({ ...(JSON.parse(lines[line - 1]) as object), ...fields });
  return withFile(files, path, lines.join('\n'));
}

function changed(files: Files, path: string): Files {
  const bytes = files[path].slice();
  bytes[bytes.length - 1] ^= 1;
  return { ...files, [path]: bytes };
}

describe('a hostile or damaged archive', () => {
  it.each<[string, (files: Files) => Files | Promise<Files>, string, RegExp]>([
    ['not a run', (files) => without(files, 'lorikeet_run.json'), 'file-missing', /holds no lorikeet_run\.json/],
    ['without its log', (files) => without(files, 'training_log.json'), 'file-missing', /lacks training_log\.json/],
    ['a log that is not listed', (files) => withManifest(files, (m) => { m.files = m.files.filter(({ path }) => path !== 'training_log.json'); }), 'file-corrupt', /training_log\.json is not listed/],
    ['without a listed file', (files) => without(files, 'checkpoint-samples-8/adapter_model.safetensors'), 'file-missing', /lacks checkpoint-samples-8\/adapter_model/],
    ['climbing out', (files) => ({ ...files, '../../evil.json': encode('x') }), 'file-corrupt', /points outside the archive/],
    ['a picture climbing out', (files) => ({ ...files, 'pictures/../../sample-0.png': pictureBytes('png') }), 'file-corrupt', /points outside the archive/],
    ['climbing directory name', (files) => withManifest(files, (m) => { m.directories = { '../best': { step: 1, saved_at: '2026-01-01', files: [] } }; }), 'file-corrupt', /is no directory of a run/],
    ['climbing file name', (files) => withManifest(files, (m) => { m.directories['checkpoint-samples-8'].files[0].path = '../x'; }), 'file-corrupt', /plain file name/],
    ['a climbing picture in the list', (files) => withManifest(files, (m) => { m.files.find(({ path }) => path === image)!.path = 'pictures/../sample-0.png'; }), 'file-corrupt', /files\.\d+\.path: is no file of a run/],
    ['two rolling states', (files) => withManifest(files, (m) => { for (const step of [1, 2]) m.directories[`checkpoint-${step}`] = { step, saved_at: '2026-01-01', rolling: true, files: [] }; }), 'file-corrupt', /cannot be the rolling state/],
    ['a rolling state that is none', (files) => withManifest(files, (m) => { m.directories['checkpoint-samples-8'].rolling = true; }), 'file-corrupt', /cannot be the rolling state/],
    ['hostile id', (files) => withManifest(files, (m) => { m.id = '../<script>'; }), 'file-corrupt', /must be a run id/],
    ['unknown setting', (files) => withManifest(files, (m) => { m.config = { ...(m.config as object), evil: 1 }; }), 'config', /evil is not known/],
    ['newer format', (files) => withManifest(files, (m) => { m.format = 3; }), 'file-corrupt', /format/],
    ['changed tensor', (files) => changed(files, 'checkpoint-samples-8/adapter_model.safetensors'), 'file-corrupt', /checksum differs/],
    ['cut tensor file', (files) => ({ ...files, 'checkpoint-samples-8/adapter_model.safetensors': files['checkpoint-samples-8/adapter_model.safetensors'].slice(0, -4) }), 'file-corrupt', /bytes, expected/],
    ['row without a step', (files) => withFile(files, 'training_log.json', decode(files['training_log.json']).replace('"step": 1,', '"step": "one",')), 'file-corrupt', /train_history/],
    ['a log that is a list', (files) => withFile(files, 'training_log.json', '[]'), 'file-corrupt', /must hold one JSON object/],
    ['a changed log', (files) => changed(files, 'training_log.json'), 'file-corrupt', /training_log\.json is not valid|training_log\.json is not what was exported/],
    ['a broken prediction', (files) => withFile(files, 'val_predictions.jsonl', '{"step": 1}\n'), 'file-corrupt', /val_predictions\.jsonl, line 1, index/],
    ['an answer twice', (files) => withFile(files, 'val_answers.jsonl', decode(files['val_answers.jsonl']).repeat(2)), 'file-corrupt', /val_answers\.jsonl, line 2, index: there is an answer 5 already/],
    ['a picture of another answer', (files) => withLine(files, 'val_answers.jsonl', 1, { index: 6 }), 'file-corrupt', /val_answers\.jsonl, line 1, image: is no picture of this answer/],
    ['a picture from elsewhere', (files) => withLine(files, 'val_answers.jsonl', 1, { image: 'https://example.org/a.png' }), 'file-corrupt', /is no picture of this answer/],
    ['a box without a corner', (files) => withLine(files, 'val_answers.jsonl', 1, { truth_boxes: [{ box: [1, 2, 3], label: '' }] }), 'file-corrupt', /val_answers\.jsonl, line 1, truth_boxes\.0\.box/],
    ['a box without end', (files) => withFile(files, 'val_answers.jsonl', decode(files['val_answers.jsonl']).replace('-1.5', '-1e999')), 'file-corrupt', /line 1, answer_boxes\.0\.box\.0/],
    ['an SVG that calls itself PNG', (files) => withFile(files, image, '<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'), 'file-corrupt', /pictures\/sample-0\.png: is not image\/png/],
    ['a page that calls itself WebP', (files) => withFile(files, 'pictures/sample-3.webp', '<!doctype html><script>1</script>'), 'file-corrupt', /pictures\/sample-3\.webp: is not image\/webp/],
    ['a JPEG that calls itself PNG', (files) => withFile(files, image, pictureBytes('jpeg')), 'file-corrupt', /is not image\/png/],
    ['an SVG by name', (files) => withFile(files, 'pictures/sample-1.svg', '<svg/>'), 'file-corrupt', /is no file of a run/],
    ['an empty picture', (files) => withFile(files, image, ''), 'file-corrupt', /is not image\/png/],
    ['a picture of four thousand million pixels', (files) => withFile(files, image, pictureBytes('png').fill(0xff, 17, 20).fill(0xff, 21, 24)), 'file-corrupt', /16777215 × 16777215 pixels/],
    ['a changed picture', (files) => changed(files, image), 'file-corrupt', /pictures\/sample-0\.png is not what was exported: its checksum differs/],
    ['without a listed picture', (files) => without(files, 'pictures/answer-5.webp'), 'file-missing', /lacks pictures\/answer-5\.webp/],
    ['two pictures of one sample', (files) => withFile(files, 'pictures/sample-0.jpg', pictureBytes('jpeg')), 'file-corrupt', /pictures\/sample-0 is listed twice/],
    ['a step twice', (files) => withManifest(files, (m) => { m.files.push(m.files.find(({ path }) => path === table)!); }), 'file-corrupt', /completions_00001 is listed twice/],
    ['a step in another spelling', (files) => withFile(files, 'completions/completions_000001.jsonl', files[table]), 'file-corrupt', /is no file of a run/],
    ['a step under the name of another', (files) => withFile(files, 'completions/completions_00002.jsonl', files[table]), 'file-corrupt', /completions_00002\.jsonl, line 1, step: 1 is not the step of this file/],
    ['a changed table', (files) => ({ ...files, [table]: encode(decode(files[table]).replace('answer 1', 'answer 2')) }), 'file-corrupt', /completions_00001\.jsonl is not what was exported/],
    ['a bad field in the third line', (files) => withLine(files, table, 3, { tokens: 'many' }), 'file-corrupt', /completions_00001\.jsonl, line 3, tokens/],
    ['a reward that is a word', (files) => withLine(files, table, 2, { rewards: { format: 'good' } }), 'file-corrupt', /line 2, rewards\.format/],
    ['a broken line', (files) => withFile(files, table, `${decode(files[table])}{"step": 1`), 'file-corrupt', /completions_00001\.jsonl, line 5 is not valid JSON/],
    ['groups out of order', (files) => withLine(files, table, 1, { group: 1 }), 'file-corrupt', /line 1, group/],
    ['a group of two prompts', (files) => withLine(files, table, 4, { prompt: 'another' }), 'file-corrupt', /line 4, prompt: differs within a group/],
    ['a group of two truths', (files) => withLine(files, table, 4, { truth_boxes: [] }), 'file-corrupt', /line 4, truth_boxes: differs within a group/],
  ])('is refused: %s', async (_what, change, code, message) => {
    await storeGrpo('hostile').catch(() => undefined);
    const before = await allKeys();
    await expect(importRun(archive(await change(await unpack('hostile'))))).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
    expect(await allKeys()).toEqual(before);
  });

  it('is refused: a bomb', async () => {
    await storeGrpo('bomb');
    const { path, file } = archive({ ...(await unpack('bomb')), 'best/bomb.json': new Uint8Array(2 ** 20) });
    const bytes = new Uint8Array(await file.arrayBuffer());
    // The announced size stands 22 bytes before the name in the table of contents, which comes last.
    const name = Buffer.from(bytes.buffer).lastIndexOf('best/bomb.json');
    new DataView(bytes.buffer).setUint32(name - 22, 2 ** 31 + 1, true);
    await expect(importRun({ path, file: new Blob([bytes]) })).rejects.toMatchObject({ code: 'file-corrupt', message: expect.stringMatching(/more than 2048 MiB together/) });
  });

  it('is refused: no ZIP at all', async () => {
    await expect(importRun({ path: 'run.zip', file: new Blob(['hello']) })).rejects.toMatchObject({ code: 'file-corrupt' });
  });

  it('is refused: tensors that do not fill their file', async () => {
    await storeSft('tensors');
    const files = await unpack('tensors');
    const bytes = files['best/adapter_model.safetensors'].slice();
    bytes[0] = 255;
    await expect(importRun(archive({ ...files, 'best/adapter_model.safetensors': bytes }))).rejects.toMatchObject({ code: 'file-corrupt', message: expect.stringMatching(/header/) });
  });

  it('is taken where only its answers repeat one word: text that shrinks to a hundredth is no bomb', async () => {
    const writer = await storeGrpo('repeating');
    const completion = { text: '!'.repeat(8000), boxes: [], tokens: 8000, truncated: true, rewards: { a: 0 }, reward: 0, advantage: 0 };
    const group = { step: 2, sample: 0, id: 'a', prompt: 'p', truth: 't', truthBoxes: [], completions: new Array(256).fill(completion) as (typeof completion)[] };
    await writer.writeCompletions(2, [group]);
    const { id } = await importRun({ path: 'repeating.zip', file: await pack('repeating') });
    expect(await readCompletions(id, 2)).toEqual([group]);
  });
});
