import { describe, expect, test } from 'vitest';
import { adaptedModules } from '../../../src/checkpoint/adapted-modules.ts';
import { ADAPTER_CONFIG_FILE, ADAPTER_WEIGHTS_FILE, readAdapter, writeAdapter, type Adapter } from '../../../src/checkpoint/adapter.ts';
import { readArchitecture } from '../../../src/checkpoint/model-config.ts';
import { isUniform, moduleRanks, patternsInUse, type ModuleRank, type RankConfig } from '../../../src/checkpoint/module-ranks.ts';
import { uniformAdapter, uniformAdapterFiles } from '../../../src/checkpoint/uniform-adapter.ts';
import type { Architecture } from '../../../src/families/architecture.ts';
import { expectError } from './expect-error.ts';
import { fileText } from './fixture-files.ts';

const configText = fileText('tests/fixtures/qwen3_vl/checkpoint/config.json');
const tied = readArchitecture(configText);
const untied = readArchitecture(JSON.stringify({ ...(JSON.parse(configText) as object), tie_word_embeddings: false, text_config: { ...(JSON.parse(configText) as { text_config: object }).text_config, tie_word_embeddings: false } }));
const TEXT = 'model.language_model.layers';
const base: RankConfig = { r: 4, lora_alpha: 8, use_rslora: false };
const ranks = (config: Partial<RankConfig>, ...paths: string[]) => [...moduleRanks(paths, { ...base, ...config }).values()];

describe('rank and alpha of a module', () => {
  const q0 = `${TEXT}.0.self_attn.q_proj`;
  const q10 = `${TEXT}.10.self_attn.q_proj`;
  const r = (rank_pattern: Record<string, number>, path: string) => ranks({ rank_pattern }, path)[0].r;

  // Expected values: get_pattern_key of peft 0.21, re.match(rf"(.*\.)?({key})$", path), first key that matches.
  test.each<[Record<string, number>, string, number]>([
    [{}, q0, 4],
    [{ q_proj: 8 }, q0, 8],
    [{ proj: 8 }, q0, 4],
    [{ '.*proj': 8 }, q0, 8],
    [{ 'self_attn.q_proj': 8 }, q0, 8],
    [{ '0.self_attn.q_proj': 8 }, q10, 4],
    [{ [q0]: 8 }, q0, 8],
    [{ [q0]: 8 }, q10, 4],
    [{ 'k_proj|q_proj': 8 }, q0, 8],
    [{ q_proj: 8, '.*': 16 }, q0, 8],
    [{ '.*': 16, q_proj: 8 }, q0, 16],
    [{ lm_head: 2 }, 'lm_head', 2],
    [{ '(?P<n>\\d+)\\.self_attn\\..*': 6 }, q10, 6],
  ])('%j on %s is %i', (pattern, path, expected) => {
    expect(r(pattern, path)).toBe(expected);
  });

  test('scale is alpha over rank, or over its root', () => {
    const patterns = { rank_pattern: { q_proj: 16 }, alpha_pattern: { q_proj: 4 } };
    expect(ranks(patterns, q0, 'k_proj')).toEqual<ModuleRank[]>([{ r: 16, loraAlpha: 4, scale: 0.25 }, { r: 4, loraAlpha: 8, scale: 2 }]);
    expect(ranks({ ...patterns, use_rslora: true }, q0, 'k_proj').map(({ scale }) => scale)).toEqual([1, 4]);
  });

  test('one for all is told from several', () => {
    const uniform = (config: Partial<RankConfig>) => isUniform(moduleRanks([q0, 'k_proj'], { ...base, ...config }));
    expect(uniform({})).toBe(true);
    expect(uniform({ rank_pattern: { '.*': 2 } })).toBe(true);
    expect(uniform({ alpha_pattern: { q_proj: 2 } })).toBe(false);
    // The same scale from another rank and another alpha.
    expect(uniform({ rank_pattern: { q_proj: 8 }, alpha_pattern: { q_proj: 16 } })).toBe(false);
  });

  test('keys that decide nothing are left out', () => {
    const patterns = { rank_pattern: { q_proj: 8, 'self_attn.q_proj': 2, v_proj: 1 }, alpha_pattern: {} };
    expect(patternsInUse([q0], { ...base, ...patterns })).toEqual({ rank_pattern: { q_proj: 8 }, alpha_pattern: {} });
  });
});

describe('what a run adapts', () => {
  const adapt = (model: Architecture, config: Partial<Parameters<typeof adaptedModules>[1]>) => adaptedModules(model.linearModules, { ...base, target_modules: ['q_proj', 'v_proj'], ...config });

  test('modules in the model’s order, each with its rank', () => {
    const adapted = adapt(tied, { rank_pattern: { 'layers.1.self_attn.v_proj': 2 } });
    expect(adapted.map(({ path }) => path.replace(`${TEXT}.`, '')).slice(0, 4)).toEqual(['0.self_attn.q_proj', '0.self_attn.v_proj', '1.self_attn.q_proj', '1.self_attn.v_proj']);
    expect(adapted.map(({ r }) => r).slice(0, 5)).toEqual([4, 4, 4, 2, 4]);
  });

  test.each([['rank_pattern', { k_proj: 2 }], ['alpha_pattern', { q_proj: 2, '.*q_proj': 4 }], ['rank_pattern', { 'q_proj(': 2 }]])('%s %j is refused', async (field, pattern) => {
    const error = await expectError(() => adapt(tied, { [field]: pattern }), 'config', /key "/);
    expect(error.place).toEqual({ field });
  });

  test('lm_head is a module like others where it has weights of its own', () => {
    expect(adapt(untied, { target_modules: ['lm_head'] })).toMatchObject([{ path: 'lm_head', part: 'lm_head', r: 4 }]);
    expect(adapt(untied, { target_modules: 'all-linear' }).some(({ path }) => path === 'lm_head')).toBe(false);
  });

  test.each([[['q_proj', 'lm_head']], ['.*q_proj|lm_head'], ['.*']])('%j is refused where lm_head is tied, and says why', async (target_modules) => {
    await expectError(() => adapt(tied, { target_modules }), 'config', /shares one table/);
  });
});

describe('an adapter with patterns', () => {
  const modules = adaptedModules(untied.linearModules, {
    r: 4, lora_alpha: 8, use_rslora: true, target_modules: ['q_proj', 'lm_head'], rank_pattern: { '0.self_attn.q_proj': 2, lm_head: 6 }, alpha_pattern: { '1.self_attn.q_proj': 3 },
  });
  const noise = (length: number, seed: number) => Float32Array.from({ length }, (_, i) => Math.sin(i * 1.7 + seed));
  const adapter: Adapter = {
    config: {
      base_model_name_or_path: null, lora_dropout: 0, r: 4, lora_alpha: 8, use_rslora: true, target_modules: ['q_proj', 'lm_head'],
      rank_pattern: { '0.self_attn.q_proj': 2, lm_head: 6 }, alpha_pattern: { '1.self_attn.q_proj': 3 },
    },
    modules: modules.map(({ path }) => path),
    tensors: modules.flatMap(({ path, r, inFeatures, outFeatures }, i) => [
      { name: `${path}.lora_A.weight`, shape: [r, inFeatures], data: noise(r * inFeatures, i) },
      { name: `${path}.lora_B.weight`, shape: [outFeatures, r], data: noise(outFeatures * r, i + 0.5) },
    ]),
  };
  const written = writeAdapter(adapter.config, adapter.tensors);
  const read = (files: typeof written, model: Architecture) => readAdapter(files[ADAPTER_CONFIG_FILE], new Blob([files[ADAPTER_WEIGHTS_FILE]]), model);

  test('comes back as it was written', async () => {
    expect(await read(written, untied)).toEqual(adapter);
  });

  test('is checked against its patterns', async () => {
    const config = JSON.stringify({ ...(JSON.parse(written[ADAPTER_CONFIG_FILE]) as object), rank_pattern: {} });
    await expectError(() => read({ ...written, [ADAPTER_CONFIG_FILE]: config }, untied), 'adapter', /expected \[4, 64\]/);
    const number = JSON.stringify({ ...(JSON.parse(written[ADAPTER_CONFIG_FILE]) as object), rank_pattern: { '0': 2 } });
    await expectError(() => read({ ...written, [ADAPTER_CONFIG_FILE]: number }, untied), 'adapter', /rank_pattern\.0/);
    await expectError(() => read(written, tied), 'adapter', /changes lm_head, which this model shares/);
  });

  /** s · B · A, in float64. */
  function product({ config, tensors }: Adapter, path: string): number[] {
    const { scale } = moduleRanks([path], config).get(path)!;
    const [a, b] = ['A', 'B'].map((matrix) => tensors.find(({ name }) => name === `${path}.lora_${matrix}.weight`)!);
    const [r, inFeatures] = a.shape;
    return Array.from({ length: b.shape[0] * inFeatures }, (_, i) => {
      let sum = 0;
      for (let k = 0; k < r; k++) sum += b.data[Math.floor(i / inFeatures) * r + k] * a.data[k * inFeatures + (i % inFeatures)];
      return scale * sum;
    });
  }

  test('has a form with one rank and one scale that computes the same', async () => {
    const uniform = uniformAdapter(adapter);
    expect(uniform.config).toMatchObject({ r: 6, lora_alpha: 24, use_rslora: false, rank_pattern: {}, alpha_pattern: {} });
    for (const path of adapter.modules) {
      const expected = product(adapter, path);
      const worst = product(uniform, path).reduce((most, value, i) => Math.max(most, Math.abs(value - expected[i])), 0);
      expect(worst, path).toBeLessThan(1e-5);
    }
    const files = await uniformAdapterFiles(written[ADAPTER_CONFIG_FILE], new Blob([written[ADAPTER_WEIGHTS_FILE]]));
    expect(await read(files, untied)).toEqual(uniform);
  });
});
