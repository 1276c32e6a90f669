import { unzipSync } from 'fflate';
import { beforeEach, describe, expect, it } from 'vitest';
import { commit, readKeys } from '../../../src/storage/database.ts';
import { readRunFiles } from '../../../src/storage/export-run.ts';
import { importRun } from '../../../src/storage/import-run.ts';
import { everythingOf, keyOf, rangeOf, type RunHead } from '../../../src/storage/records.ts';
import { deleteRun, emptyBin, labelRun, listRuns } from '../../../src/storage/runs.ts';
import { methodConfig, methodRun, toyPrompts } from '../training/toy-methods.ts';
import { archive, decode, pack, picture, recordsOf, storeGrpo, storeSft, unpack } from './exported-runs.ts';
import { pretendBrowser } from './pretend-browser.ts';

beforeEach(() => {
  pretendBrowser();
});

async function remove(id: string): Promise<void> {
  await deleteRun(id);
  await emptyBin(-1000);
  for (const key of everythingOf(id).filter((key) => key instanceof IDBKeyRange)) expect(await readKeys(key)).toEqual([]);
}

describe('export, delete, import', () => {
  it.each([['SFT', storeSft], ['GRPO', storeGrpo]] as const)('of a run of %s gives the same records, and the same archive again', async (method, store) => {
    const id = `there-${method}`;
    await store(id);
    await labelRun(id, { tags: ['first', 'long run'], notes: 'Works.' });
    const [records, summary, zip] = [await recordsOf(id), (await listRuns()).find((run) => run.id === id), await pack(id)];
    await remove(id);

    expect(await importRun({ path: 'there.zip', file: zip })).toEqual({ id, name: 'Toy' });
    expect(await recordsOf(id)).toEqual(records);
    expect((await listRuns()).find((run) => run.id === id)).toEqual(summary);
    const [first, again] = [unzipSync(new Uint8Array(await zip.arrayBuffer())), await unpack(id)];
    expect(Object.keys(again)).toEqual(Object.keys(first));
    for (const [path, bytes] of Object.entries(first)) expect(again[path], path).toEqual(bytes);
  });

  it('of what the trainer itself wrote gives the same records', async () => {
    const prompts = toyPrompts(9).map((prompt) => ({ ...prompt, image: picture('png', prompt.index), truth: '5 5', truthBoxes: [{ box: [1, 2, 3, 4] as [number, number, number, number], label: 'a' }] }));
    const settings = { method: 'grpo', num_generations: 4, max_completion_length: 6, per_device_train_batch_size: 2, gradient_accumulation_steps: 1, temperature: 1, max_steps: 6, eval_steps: 3, save_steps: 4 } as const;
    await methodRun({ id: 'trained', config: methodConfig(settings), validate: 3, prompts });
    const records = await recordsOf('trained');
    expect((records.completions as unknown[]).length).toBe(6);
    expect((records.images as unknown[]).length).toBeGreaterThan(2);
    expect((records.answers as { image: unknown }[]).every(({ image }) => image !== null)).toBe(true);
    const zip = await pack('trained');
    await remove('trained');
    await importRun({ path: 'trained.zip', file: zip });
    expect(await recordsOf('trained')).toEqual(records);
  });

  it('beside the run it came from gives another id and the same records, also from inside a folder', async () => {
    await storeGrpo('twice');
    const files = Object.fromEntries(Object.entries(await unpack('twice')).map(([path, bytes]) => [`outer/${path}`, bytes]));
    const { id } = await importRun(archive(files));
    expect(id).toMatch(/^twice-[0-9a-f]{8}$/);
    expect(await recordsOf(id)).toEqual(await recordsOf('twice'));
  });

  it('keeps the rolling state apart from checkpoints, which alone are counted', async () => {
    const writer = await storeSft('rolling');
    await writer.writeDirectory('checkpoint-2', 2, new Map([['a.bin', new Uint8Array(1)]]));
    const shadowed = await unpack('rolling');
    expect(Object.keys(shadowed).filter((path) => path.startsWith('checkpoint-2/'))).toEqual(['checkpoint-2/a.bin']);
    await writer.removeDirectory('checkpoint-2');
    const { id } = await importRun(archive(await unpack('rolling')));
    const { head } = (await recordsOf(id)) as { head: { directories: object } };
    expect(Object.keys(head.directories).sort()).toEqual(['best', 'checkpoint-1', 'reference', 'resume', 'start']);
  });

  it('remembers states that were passed over, and shows one to go on from in place of such a one', async () => {
    const writer = await storeSft('passed');
    await writer.writeDirectory('checkpoint-2', 2, new Map([['a.bin', new Uint8Array(1)]]));
    await writer.truncateLog(1);
    const taken = await importRun(archive(await unpack('passed')));
    const { head } = (await recordsOf(taken.id)) as { head: RunHead };
    expect(Object.entries(head.directories).filter(([, { passedOver }]) => passedOver).map(([name]) => name)).toEqual(['checkpoint-2']);
    await writer.writeDirectory('resume', 2, new Map([['b.bin', new Uint8Array(1)]]));
    expect(Object.keys(await unpack('passed')).filter((path) => path.startsWith('checkpoint-2/'))).toEqual(['checkpoint-2/b.bin']);
  });

  it('leaves pictures out that are not PNG, JPEG or WebP, whatever they call themselves', async () => {
    const writer = await storeGrpo('others');
    await writer.keepSampleImage(50, new Blob(['<svg xmlns="http://www.w3.org/2000/svg"/>'], { type: 'image/png' }));
    await writer.keepSampleImage(51, picture('gif'));
    await writer.keepSampleImage(52, new Blob([picture('jpeg')]));
    const paths = (await readRunFiles('others')).map(({ path }) => path);
    expect(paths.filter((path) => path.startsWith('pictures/'))).toEqual(['pictures/answer-5.webp', 'pictures/sample-0.png', 'pictures/sample-3.webp', 'pictures/sample-12.jpg', 'pictures/sample-52.jpg']);
    const { id } = await importRun(archive(await unpack('others')));
    expect((await readKeys(rangeOf.sampleImages(id))).map((key) => key[2])).toEqual([0, 3, 12, 52]);
  });

  it('finds nothing that an earlier import, cut off, had left', async () => {
    await storeGrpo('debris');
    const records = await recordsOf('debris');
    const zip = await pack('debris');
    await remove('debris');
    await commit({ put: [[keyOf.completions('debris', 77), []], [keyOf.sampleImage('debris', 77), picture('png')]] });
    await importRun({ path: 'debris.zip', file: zip });
    expect(await recordsOf('debris')).toEqual(records);
  });
});

describe('the table of completions', () => {
  it('has a line for each answer with TRL’s columns, a column for each reward, and no reward in the place of another column', async () => {
    await storeGrpo('table');
    const file = (await readRunFiles('table')).find(({ path }) => path === 'completions/completions_00001.jsonl')!;
    const lines = (await file.file.text()).trimEnd().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines.map(({ group, sample, completion }) => [group, sample, completion])).toEqual([[0, 3, 'answer 0\nof 3'], [0, 3, 'answer 1\nof 3'], [1, 0, 'answer 0\nof 0'], [1, 0, 'answer 1\nof 0']]);
    expect(lines[1]).toMatchObject({ step: 1, prompt: 'p', reward: 0.1, advantage: 0.5, tokens: 6, truncated: true, format: 1 / 3, rewards: { format: 1 / 3, step: -1, reward: null } });
  });

  it('is written for a step beyond five digits too', async () => {
    await storeGrpo('late');
    expect(decode((await unpack('late'))['completions/completions_100000.jsonl'])).toContain('"step":100000');
  });
});
