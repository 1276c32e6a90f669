import { beforeEach, describe, expect, it, vi } from 'vitest';
import { writeAdapter } from '../../../src/checkpoint/adapter.ts';
import type { AdapterConfig } from '../../../src/checkpoint/adapter-config.ts';
import type { AdapterSource, AdapterSummary } from '../../../src/protocol/messages.ts';
import { readRunFiles } from '../../../src/storage/export-run.ts';
import { listAdapters } from '../../../src/storage/runs.ts';
import { pretendBrowser } from '../storage/pretend-browser.ts';
import { demoConfig, demoFiles, fakeSession, fetchPublic, type FakeSession } from './fake-engine.ts';

beforeEach(() => {
  pretendBrowser();
  vi.stubGlobal('fetch', fetchPublic);
});

const config = demoConfig();
const QUERY = 'model.language_model.layers.0.self_attn.q_proj';

async function ready(): Promise<FakeSession> {
  const parts = fakeSession();
  await parts.session.handle({ type: 'loadModel', source: { kind: 'demo' }, config });
  await parts.session.handle({ type: 'loadDataset', source: { kind: 'files', train: demoFiles(7), validation: demoFiles(3, 'sft_val') }, config });
  return parts;
}

async function run({ session, next }: FakeSession, runId: string, adapter?: AdapterSource) {
  const finished = next('finished');
  await session.handle({ type: 'start', runId, name: runId, config, adapter });
  return (await finished).log;
}

/** A PEFT folder with one adapted module. */
function folder(change: Partial<AdapterConfig> = {}, module = QUERY): Extract<AdapterSource, { kind: 'files' }> {
  const adapter: AdapterConfig = { base_model_name_or_path: 'somebody/base', r: 4, lora_alpha: 8, lora_dropout: 0, target_modules: ['q_proj'], use_rslora: false, ...change };
  const tensors = [
    { name: `${module}.lora_A.weight`, shape: [adapter.r, 128] as [number, number], data: new Float32Array(adapter.r * 128).fill(0.5) },
    { name: `${module}.lora_B.weight`, shape: [128, adapter.r] as [number, number], data: new Float32Array(128 * adapter.r) },
  ];
  const files = Object.entries(writeAdapter(adapter, tensors)).map(([path, content]) => ({ path: `mine/${path}`, file: new Blob([content]) }));
  return { kind: 'files', name: 'mine', files };
}

const inspect = async ({ session }: FakeSession, source: AdapterSource) => (await session.handle({ type: 'inspectAdapter', source })) as AdapterSummary;

describe('an adapter says of itself', () => {
  it('its shape, and names the very modules that it is on', async () => {
    const parts = await ready();
    expect(await inspect(parts, folder())).toEqual({
      name: 'mine', r: 4, lora_alpha: 8, use_rslora: false, rank_pattern: {}, alpha_pattern: {}, modules: 1, parameters: 4 * 256, baseModel: 'somebody/base',
      // q_proj alone would name that of every layer.
      target_modules: [QUERY],
    });
    const expression = '.*layers\\.0\\.self_attn\\.q_proj';
    expect((await inspect(parts, folder({ target_modules: expression }))).target_modules).toBe(expression);
    expect((await inspect(parts, folder({ target_modules: 'layers\\.[' }))).target_modules).toEqual([QUERY]);
    expect(await inspect(parts, folder({ alpha_pattern: { v_proj: 2, q_proj: 4 } }))).toMatchObject({ rank_pattern: {}, alpha_pattern: { q_proj: 4 } });
  });

  it('what is wrong with it', async () => {
    const parts = await ready();
    const { files } = folder();
    await expect(inspect(parts, { kind: 'files', name: 'half', files: files.slice(0, 1) })).rejects.toMatchObject({ code: 'file-missing', place: { file: 'adapter_model.safetensors' } });
    await expect(inspect(parts, folder({}, 'model.language_model.layers.27.self_attn.q_proj'))).rejects.toMatchObject({ code: 'adapter' });
    const otherRank = { kind: 'files' as const, name: 'mixed', files: [folder({ r: 8 }).files[0], files[1]] };
    await expect(inspect(parts, otherRank)).rejects.toMatchObject({ code: 'adapter' });
  });
});

describe('a run that starts from an adapter', () => {
  it('goes on where the earlier run ended, and keeps what it started from', async () => {
    const parts = await ready();
    const first = await run(parts, 'first');
    expect(await listAdapters('first')).toEqual([
      { directory: 'best', step: first.best_checkpoint!.step },
      { directory: 'final', step: 8 },
      { directory: 'checkpoint-6', step: 6 },
      { directory: 'checkpoint-3', step: 3 },
    ]);
    const second = await run(parts, 'second', { kind: 'run', runId: 'first', directory: 'final' });
    expect(second.val_history[0].eval_loss).toBe(first.val_history.at(-1)!.eval_loss);
    expect(second.notices?.map(({ key }) => key)).toContain('startedFrom');
    const bytes = async (id: string, path: string) => new Uint8Array(await (await readRunFiles(id)).find((file) => file.path === path)!.file.arrayBuffer());
    expect(await bytes('second', 'start/adapter_model.safetensors')).toEqual(await bytes('first', 'final/adapter_model.safetensors'));
    expect((await listAdapters('second')).map(({ directory }) => directory)).not.toContain('start');
  });

  it.each([
    ['r', folder({ r: 8, lora_alpha: 32 })],
    ['lora_alpha', folder()],
    ['use_rslora', folder({ lora_alpha: 32, use_rslora: true })],
    ['alpha_pattern', folder({ lora_alpha: 32, alpha_pattern: { q_proj: 8 } })],
  ])('is refused when %s is another one than the settings say', async (field, adapter) => {
    const { session } = await ready();
    await expect(session.handle({ type: 'start', runId: 'no', name: 'no', config, adapter })).rejects.toMatchObject({ code: 'adapter', place: { field } });
    await expect(session.handle({ type: 'pause' })).rejects.toMatchObject({ code: 'config' });
  });
});
