import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { ModelFiles } from '../../../src/checkpoint/model-files.ts';
import { parameterCount } from '../../../src/families/architecture.ts';
import { openArchitecture } from '../../../src/families/registry.ts';
import { Processor } from '../../../src/processing/processor.ts';
import { writeCheckpoint, type ShapeOptions } from '../../../tools/shapes/checkpoint.ts';
import { parseShapeArguments } from '../../../tools/shapes/options.ts';
import { cutLayers, PUBLISHED } from '../../../bench/published-shapes.ts';

const root = mkdtempSync(join(tmpdir(), 'shapes-'));
afterAll(() => rmSync(root, { recursive: true }));

/** The fixture's small shape in place of a published one, whose table alone has hundreds of megabytes. */
const small = { fixture: 'qwen3_vl', config: JSON.parse(readFileSync('tests/fixtures/qwen3_vl/checkpoint/config.json', 'utf8')) as Record<string, unknown> };
const options: ShapeOptions = { seed: 1, layers: null, visionLayers: null, shardBytes: 400_000 };
const filesOf = (folder: string) => readdirSync(folder).map((path) => ({ path, file: new Blob([readFileSync(join(folder, path))]) }));

describe('a checkpoint', () => {
  test('opens as a model with a processor, in shards, and is the same for the same seed', async () => {
    const written = [1, 1, 2].map((seed, i) => writeCheckpoint(join(root, `seed-${i}`), small, { ...options, seed }));
    const [first, again, other] = await Promise.all([0, 1, 2].map((i) => ModelFiles.open(filesOf(join(root, `seed-${i}`)))));
    expect(first.shards.length).toBe(written[0].shards.length);
    expect(first.shards.length).toBeGreaterThan(1);
    expect(parameterCount(first.architecture)).toBe(written[0].parameters);
    expect(first.notes).toEqual([]);
    await expect(Processor.fromFiles(first.readText, first.architecture)).resolves.toBeDefined();
    const name = 'model.language_model.layers.1.mlp.down_proj.weight';
    expect(await again.readWeights(name)).toEqual(await first.readWeights(name));
    expect(await other.readWeights(name)).not.toEqual(await first.readWeights(name));
    expect(new Set(await first.readWeights('model.language_model.norm.weight'))).toEqual(new Set([0x3f80]));
  });

  test('may have fewer layers, and is never written over another', async () => {
    const folder = join(root, 'cut');
    writeCheckpoint(folder, small, { ...options, layers: 2, visionLayers: 2 });
    const { config, shards } = await ModelFiles.open(filesOf(folder));
    expect(config).toMatchObject({ numHiddenLayers: 2, visionDepth: 2, deepstackVisualIndexes: [0, 1] });
    expect(shards.length).toBeGreaterThan(0);
    expect(() => writeCheckpoint(folder, small, options)).toThrow('is not empty');
  });
});

describe('published shapes', () => {
  test('have as many parameters as the models themselves', () => {
    const { config } = PUBLISHED['qwen3-vl-2b'];
    const tokens = { image_token_id: 1, video_token_id: 2, vision_start_token_id: 3, vision_end_token_id: 4 };
    expect(parameterCount(openArchitecture({ ...config, ...tokens }, 'config.json'))).toBe(2_127_532_032);
    expect(parameterCount(openArchitecture({ ...cutLayers(config, { layers: 2, visionLayers: 12 }), ...tokens }, 'config.json'))).toBeLessThan(700_000_000);
  });
});

test('the command line', () => {
  expect(parseShapeArguments(['--model', 'qwen3.5-2b', '--out', 'x', '--layers', '4', '--shard-gb', '0.5'])).toEqual({
    model: 'qwen3.5-2b', out: 'x', layers: 4, visionLayers: null, seed: 1, shardBytes: 5e8,
  });
  for (const wrong of [[], ['--model', 'x'], ['--model', 'qwen2-vl-2b'], ['--model', 'qwen2-vl-2b', '--out', 'x', '--layers', '0'], ['--model', 'qwen2-vl-2b', '--out', 'x', '--seed', '-1'], ['--what']]) {
    expect(typeof parseShapeArguments(wrong), wrong.join(' ')).toBe('string');
  }
});
