/** The adapter's folder as it is downloaded and uploaded; pictures are drawn by a browser and stand in here as text. */
import { beforeEach, expect, it, vi } from 'vitest';
import { adapterFolder } from '../../../src/app/files/adapter-folder.ts';
import type { PathFile } from '../../../src/protocol/messages.ts';
import { RunWriter } from '../../../src/storage/run-writer.ts';
import { storeSft } from '../storage/exported-runs.ts';
import { pretendBrowser } from '../storage/pretend-browser.ts';
import { toyConfig, toyRecord } from '../training/toy-run.ts';

vi.mock('../../../src/app/files/rasterise.ts', () => ({ rasterise: async (svg: string) => new Blob([svg]) }));

vi.mock('../../../src/storage/stored-model.ts', () => ({ hubOrigin: async ({ name }: { name: string }) => (name === 'Tiny' ? { id: 'Qwen/Tiny', commit: 'abc123' } : null) }));

beforeEach(() => void pretendBrowser());

const textOf = (files: readonly PathFile[], path: string) => files.find((file) => file.path === path)!.file.text();

it('holds what PEFT loads, a card, and every picture that the card shows', async () => {
  await storeSft('carded');
  const files = await adapterFolder('carded', 'none');
  expect(files.map(({ path }) => path)).toEqual(expect.arrayContaining(['README.md', 'adapter_config.json', 'adapter_model.safetensors', 'curves/loss.png']));
  const card = await textOf(files, 'README.md');
  const shown = [...card.matchAll(/\]\((curves\/[^)]+)\)/g)].map(([, path]) => path);
  expect(shown.sort()).toEqual(files.map(({ path }) => path).filter((path) => path.startsWith('curves/')).sort());
  expect(card).not.toContain('base_model:');
  expect(JSON.parse(await textOf(files, 'adapter_config.json'))).toEqual({ r: 3 });
});

it('names a base from the Hub by id and commit', async () => {
  const record = { ...toyRecord('from-hub', toyConfig()), model: { kind: 'files' as const, name: 'Tiny', fingerprint: 'f', handle: null } };
  const writer = await RunWriter.create(record);
  await writer.writeDirectory('final', 2, new Map([['adapter_config.json', new TextEncoder().encode('{"r": 3, "base_model_name_or_path": "Tiny"}')], ['adapter_model.safetensors', new Uint8Array(8)]]));
  await writer.flush();
  const files = await adapterFolder('from-hub', 'none');
  expect(JSON.parse(await textOf(files, 'adapter_config.json'))).toEqual({ r: 3, base_model_name_or_path: 'Qwen/Tiny', revision: 'abc123' });
  expect(await textOf(files, 'README.md')).toContain('base_model: "Qwen/Tiny"');
});

it('says where there is none', async () => {
  await RunWriter.create(toyRecord('bare', toyConfig()));
  await expect(adapterFolder('bare', 'No adapter yet.')).rejects.toMatchObject({ code: 'adapter', message: 'No adapter yet.' });
});
