/** Adapter folders of the kind that people bring. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseAdapterConfig } from '../../../src/checkpoint/adapter-config.ts';
import { adapterFilesIn, adaptersIn } from '../../../src/checkpoint/adapter-files.ts';

const ROOT = new URL('../../fixtures/cases/20-adapters/', import.meta.url);
const text = (path: string) => readFileSync(new URL(path, ROOT), 'utf8');
const adapter = (folder: string) => ['adapter_config.json', 'adapter_model.safetensors'].map((name) => ({ path: `${folder}${name}`, file: new Blob([`${folder}${name}`]) }));

describe('configurations whose start changes the base', () => {
  it.each(readdirSync(new URL('configs/', ROOT)))('%s is refused by the field that says so', (name) => {
    expect(() => parseAdapterConfig(text(`configs/${name}`))).toThrow(name === 'kasa.json' ? /uses kasa_config/ : /uses init_lora_weights = "(pissa_niter_16|olora|corda|loftq|lora_ga)"/);
  });

  it('and a plain one is not', () => {
    expect(parseAdapterConfig(text('trainer-output-dir/adapter_config.json')).r).toBeGreaterThan(0);
  });
});

describe('a trainer\u2019s output folder', () => {
  it('gives its outermost adapter, whatever checkpoints lie below', async () => {
    const files = ['out/checkpoint-84/', 'out/', 'out/checkpoint-42/'].flatMap(adapter);
    const found = adapterFilesIn(files, 'out');
    expect(await found.config.text()).toBe('out/adapter_config.json');
    expect(await found.weights.text()).toBe('out/adapter_model.safetensors');
    expect(found.folder).toBe('out');
  });

  it('without weights at the top gives a checkpoint where there is one, and refuses to choose between two', async () => {
    const [top] = adapter('out/');
    expect(await adapterFilesIn([top, ...adapter('out/checkpoint-42/')], 'out').weights.text()).toBe('out/checkpoint-42/adapter_model.safetensors');
    expect(() => adapterFilesIn([...adapter('out/checkpoint-42/'), ...adapter('out/checkpoint-84/')], 'out')).toThrow('out holds 2 adapters, and none further out than the others: out/checkpoint-42, out/checkpoint-84.');
    expect(() => adapterFilesIn([top], 'out')).toThrow(/no adapter_model.safetensors beside/);
  });

  it('offers every adapter, checkpoints in the order of their steps, and gives the chosen one', async () => {
    const files = ['out/checkpoint-100/', 'out/', 'out/checkpoint-42/'].flatMap(adapter);
    expect(adaptersIn([...files, ...adapter('out/checkpoint-7/').slice(0, 1)]).map(({ folder }) => folder)).toEqual(['out', 'out/checkpoint-42', 'out/checkpoint-100']);
    expect(await adapterFilesIn(files, 'out', 'out/checkpoint-42').weights.text()).toBe('out/checkpoint-42/adapter_model.safetensors');
    expect(() => adapterFilesIn(files, 'out', 'out/checkpoint-9')).toThrow('out has no adapter in out/checkpoint-9.');
    expect(adaptersIn(adapter(''))[0].folder).toBe('');
  });
});
