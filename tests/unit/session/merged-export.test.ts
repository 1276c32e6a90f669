import { beforeEach, describe, expect, it, vi } from 'vitest';
import { ModelFiles } from '../../../src/checkpoint/model-files.ts';
import type { PathFile } from '../../../src/protocol/messages.ts';
import type { MergeRequest } from '../../../src/protocol/export-messages.ts';
import { exportMerged } from '../../../src/session/merged-export.ts';
import { demoModel } from '../../../src/session/demo.ts';
import { pretendBrowser, pretendDirectory, type PretendDirectory, type PretendFile } from '../storage/pretend-browser.ts';
import { demoConfig, demoFiles, fakeSession, fetchPublic } from './fake-engine.ts';

beforeEach(() => {
  pretendBrowser();
  vi.stubGlobal('fetch', fetchPublic);
});

const DEMO_URL = 'http://localhost/demo/';
const config = demoConfig();

/** IndexedDB outlives a test, and so does the one run of this file. */
let run: Promise<unknown> | null = null;
const trained = () => (run ??= train('one'));

async function train(runId: string): Promise<void> {
  const { session, next } = fakeSession();
  await session.handle({ type: 'loadModel', source: { kind: 'demo' }, config });
  await session.handle({ type: 'loadDataset', source: { kind: 'files', train: demoFiles(7), validation: demoFiles(3, 'sft_val') }, config });
  const finished = next('finished');
  await session.handle({ type: 'start', runId, name: 'A/B: test', config });
  await finished;
}

const request = (folder: PretendDirectory | null): MergeRequest => ({ kind: 'merge', runId: 'one', directory: 'final', open: null, folder: folder as unknown as FileSystemDirectoryHandle });
const writing = () => ({ signal: new AbortController().signal, onProgress: () => undefined });

describe('the merged model of a run', () => {
  it('is a folder that opens as a model, with the run’s adapter in its weights', async () => {
    await trained();
    const parent = pretendDirectory('parent');
    expect(await exportMerged(request(parent), DEMO_URL, writing())).toEqual({ name: 'A-B- test-merged', zip: null, dequantised: null });
    const folder = parent.entries.get('A-B- test-merged') as PretendDirectory;
    const files: PathFile[] = [...folder.entries].map(([path, entry]) => ({ path, file: (entry as PretendFile).content }));
    const [merged, base] = await Promise.all([ModelFiles.open(files), ModelFiles.open(demoModel(DEMO_URL))]);
    expect(merged.config).toEqual(base.config);
    const changed: string[] = [];
    for (const { path } of base.architecture.linearModules) {
      const [before, after] = await Promise.all([base.readTensor(`${path}.weight`), merged.readTensor(`${path}.weight`)]);
      if (Buffer.compare(before.bytes, after.bytes) !== 0) changed.push(path);
    }
    expect(changed.length).toBeGreaterThan(0);
    expect(changed.every((path) => path.startsWith('model.language_model.'))).toBe(true);
  });

  it('is a ZIP where no folder can be written to', async () => {
    await trained();
    const { name, zip } = await exportMerged(request(null), DEMO_URL, writing());
    expect(name).toBe('A-B- test-merged.zip');
    expect(zip!.size).toBeGreaterThan(1_000_000);
  });

  it('is refused for a directory that the run does not have', async () => {
    await trained();
    await expect(exportMerged({ ...request(null), directory: 'checkpoint-99' }, DEMO_URL, writing())).rejects.toMatchObject({ code: 'file-missing' });
  });
});
