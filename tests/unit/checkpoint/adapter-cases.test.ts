/** Adapter folders of the kind that people bring. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseAdapterConfig } from '../../../src/checkpoint/adapter-config.ts';
import { outermostAdapter } from '../../../src/checkpoint/adapter-files.ts';

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
    const found = outermostAdapter(files, 'out');
    expect(await found.config.text()).toBe('out/adapter_config.json');
    expect(await found.weights.text()).toBe('out/adapter_model.safetensors');
    expect(found.others.sort()).toEqual(['out/checkpoint-42', 'out/checkpoint-84']);
  });

  it('without weights at the top gives a checkpoint where there is one, and refuses to choose between two', async () => {
    const [top] = adapter('out/');
    expect(await outermostAdapter([top, ...adapter('out/checkpoint-42/')], 'out').weights.text()).toBe('out/checkpoint-42/adapter_model.safetensors');
    expect(() => outermostAdapter([...adapter('out/checkpoint-42/'), ...adapter('out/checkpoint-84/')], 'out')).toThrow(/2 adapters side by side: out\/checkpoint-42, out\/checkpoint-84/);
    expect(() => outermostAdapter([top], 'out')).toThrow(/no adapter_model.safetensors beside/);
  });
});
