import { afterEach, describe, expect, test, vi } from 'vitest';
import { BlobFileSource, MAX_TEXT_BYTES, UrlFileSource } from '../../../src/checkpoint/file-source.ts';
import { readArchitecture } from '../../../src/checkpoint/model-config.ts';
import { ModelFiles } from '../../../src/checkpoint/model-files.ts';
import { writeSafetensors, type NamedTensor } from '../../../src/checkpoint/safetensors.ts';
import { expectedTensors, parameterCount } from '../../../src/families/architecture.ts';
import { canonicalName } from '../../../src/families/tensor-names.ts';
import type { PathFile } from '../../../src/protocol/messages.ts';
import { expectError } from './expect-error.ts';
import { fileBlob, fileText, folderFiles, openTensors } from './fixture-files.ts';

const SINGLE = 'tests/fixtures/qwen3_vl/checkpoint';
const SHARDED = 'tests/fixtures/qwen3_vl/checkpoint_bf16_sharded';
const SHARD_2 = 'model-00002-of-00002.safetensors';

const without = (files: PathFile[], name: string) => files.filter(({ path }) => path !== name);
const replaced = (files: PathFile[], path: string, content: BlobPart) => [...without(files, path), { path, file: new Blob([content]) }];

/** The single-file checkpoint with its tensors changed. */
async function reweighted(change: (tensors: NamedTensor[]) => NamedTensor[]): Promise<PathFile[]> {
  const file = await openTensors(`${SINGLE}/model.safetensors`);
  const tensors = await Promise.all([...file.tensors.keys()].map(async (name) => {
    const { dtype, shape, bytes } = await file.readTensor(name);
    return { name, dtype, shape, data: bytes };
  }));
  return replaced(folderFiles(SINGLE), 'model.safetensors', writeSafetensors(change(tensors)));
}

const renamed = (change: (name: string) => string) => reweighted((tensors) => tensors.map((tensor) => ({ ...tensor, name: change(tensor.name) })));

afterEach(() => {
  vi.unstubAllGlobals();
});

describe('good folders', () => {
  test.each([SINGLE, SHARDED, 'public/demo/model'])('%s', async (folder) => {
    const model = await ModelFiles.open(folderFiles(folder));
    expect(model.notes).toEqual([]);
    expect(await model.readText('tokenizer.json')).toBe(fileText(`${folder}/tokenizer.json`));
    expect(await model.readText('chat_template.jinja')).toBeNull();
    const names = expectedTensors(model.architecture).map(({ name }) => name);
    const inFiles = model.shards.flatMap((shard) => [...shard.tensors.keys()]);
    expect(names.sort()).toEqual(inFiles.sort());
    const elements = inFiles.reduce((sum, name) => sum + model.info(name).shape.reduce((a, b) => a * b, 1), 0);
    expect(parameterCount(model.architecture)).toBe(elements);
  });

  test('shards give the same weights as the single file', async () => {
    const [whole, shards] = await Promise.all([ModelFiles.open(folderFiles(SINGLE)), ModelFiles.open(folderFiles(SHARDED))]);
    const name = 'model.visual.merger.linear_fc2.weight';
    const bits = await shards.readWeights(name);
    const wide = await whole.readWeights(name);
    expect(bits).toBeInstanceOf(Uint16Array);
    expect(Array.from(new Uint32Array(wide.buffer), (word) => word >>> 16)).toEqual([...bits]);
    expect(await shards.readRowWeights(name, 1, 3)).toEqual(bits.slice(192, 3 * 192));
    expect(shards.fileBytes).toBe(600528 + 592176);
  });

  test('one common top folder, system files and other folders do no harm', async () => {
    const files = folderFiles(SINGLE, 'models\\Qwen3-VL\\');
    const extra = ['models/Qwen3-VL/._model.safetensors', 'models/Qwen3-VL/.DS_Store', 'models/Qwen3-VL/sub/config.json', 'models/Qwen3-VL/sub/x.safetensors', 'README.md'];
    const model = await ModelFiles.open([...files, ...extra.map((path) => ({ path, file: new Blob(['x']) }))]);
    expect(model.config.hiddenSize).toBe(64);
    expect(await model.readText('tokenizer.json')).toBe(fileText(`${SINGLE}/tokenizer.json`));
  });

  test.each([
    ['before transformers 4.52', (name: string) => name.replace('model.language_model.', 'model.').replace('model.visual.', 'visual.')],
    ['language_model.model first', (name: string) => name.replace('model.language_model.', 'language_model.model.').replace('model.visual.', 'visual.')],
    ['without the outer model', (name: string) => name.replace(/^model\./, '')],
  ])('older names: %s', async (_, rename) => {
    const model = await ModelFiles.open(await renamed(rename));
    expect(model.info('model.language_model.layers.3.mlp.up_proj.weight').shape).toEqual([128, 64]);
    expect(model.notes).toEqual([]);
  });

  test('surplus tensors and a tied lm_head are noted', async () => {
    const model = await ModelFiles.open(await reweighted((tensors) => [
      ...tensors,
      { name: 'lm_head.weight', dtype: 'F32', shape: [608, 64], data: new Float32Array(608 * 64) },
      { name: 'model.extra', dtype: 'I64', shape: [1], data: new BigInt64Array(1) },
    ]));
    expect(model.notes).toEqual([expect.stringContaining('lm_head.weight is ignored'), expect.stringContaining('1 tensors are not part of the model and are ignored: model.extra')]);
  });
});

describe('bad folders', () => {
  const cases: [string, () => PathFile[] | Promise<PathFile[]>, Parameters<typeof expectError>[1], RegExp][] = [
    ['nothing', () => [], 'file-missing', /No config\.json/],
    ['no config.json', () => without(folderFiles(SINGLE), 'config.json'), 'file-missing', /No config\.json/],
    ['no tokenizer.json', () => without(folderFiles(SINGLE), 'tokenizer.json'), 'file-missing', /tokenizer\.json is missing/],
    ['two models', () => [...folderFiles(SINGLE, 'a/'), ...folderFiles(SHARDED, 'b/')], 'file-corrupt', /Several models .* a\/, b\//],
    ['the same path twice', () => [...folderFiles(SINGLE), ...folderFiles(SINGLE, './')], 'file-corrupt', /Two files have the path/],
    ['no weights', () => without(folderFiles(SINGLE), 'model.safetensors'), 'file-missing', /model\.safetensors is missing/],
    ['shards without index', () => without(folderFiles(SHARDED), 'model.safetensors.index.json'), 'file-missing', /Found only model-00001-of-00002\.safetensors, model-00002/],
    ['missing shard', () => without(folderFiles(SHARDED), SHARD_2), 'file-missing', /1 of 2 weight files are missing: model-00002/],
    ['extra shard', () => [...folderFiles(SHARDED), { path: 'model-00003-of-00003.safetensors', file: fileBlob(`${SHARDED}/${SHARD_2}`) }], 'file-corrupt', /do not belong to model\.safetensors\.index\.json: model-00003/],
    ['extra weights beside a single file', () => [...folderFiles(SINGLE), { path: 'consolidated.safetensors', file: new Blob([]) }], 'file-corrupt', /consolidated\.safetensors/],
    ['truncated shard', async () => replaced(folderFiles(SHARDED), SHARD_2, (await fileBlob(`${SHARDED}/${SHARD_2}`).arrayBuffer()).slice(0, 500_000)), 'file-corrupt', /model-00002-of-00002\.safetensors/],
    ['index that is no object', () => replaced(folderFiles(SHARDED), 'model.safetensors.index.json', '{"weight_map":[]}'), 'file-corrupt', /no weight_map object/],
    ['index that leads outside', () => replaced(folderFiles(SHARDED), 'model.safetensors.index.json', '{"weight_map":{"a":"../b.safetensors"}}'), 'file-corrupt', /beside it/],
    ['text that is too large', () => replaced(folderFiles(SINGLE), 'config.json', new Uint8Array(MAX_TEXT_BYTES + 1)), 'file-too-large', /config\.json has 33554433 bytes/],
    ['text that is not UTF-8', () => replaced(folderFiles(SINGLE), 'config.json', Uint8Array.of(0xff)), 'file-corrupt', /config\.json is not UTF-8/],
    ['missing tensors', () => reweighted((tensors) => tensors.filter(({ name }) => !name.includes('layers.3.mlp'))), 'tensor-missing', /3 of 121 tensors are missing from model\.safetensors: .*layers\.3\.mlp/],
    ['wrong shape', () => reweighted((tensors) => tensors.map((t) => (t.name === 'model.language_model.norm.weight' ? { ...t, shape: [32], data: new Float32Array(32) } : t))), 'tensor-shape', /norm\.weight of model\.safetensors has shape \[32\], config\.json asks for \[64\]/],
    ['transposed weight', () => reweighted((tensors) => tensors.map((t) => (t.name.endsWith('layers.0.mlp.up_proj.weight') ? { ...t, shape: [64, 128] } : t))), 'tensor-shape', /\[64, 128\], config\.json asks for \[128, 64\]/],
    ['wrong dtype', () => reweighted((tensors) => tensors.map((t) => (t.name === 'model.language_model.norm.weight' ? { ...t, dtype: 'I32' } : t))), 'tensor-shape', /has dtype I32, expected F32, BF16, F16/],
    ['one tensor under two names', () => reweighted((tensors) => [...tensors, { ...tensors[0], name: tensors[0].name.replace('model.language_model.', 'model.') }]), 'file-corrupt', /are the same tensor/],
    ['untied head that is not there', () => replaced(folderFiles(SINGLE), 'config.json', fileText(`${SINGLE}/config.json`).replaceAll('"tie_word_embeddings": true', '"tie_word_embeddings": false')), 'tensor-missing', /1 of 122 tensors .* lm_head\.weight/],
  ];
  test.each(cases)('%s', async (_, files, code, message) => {
    const list = await files();
    await expectError(() => ModelFiles.open(list), code, message);
  });

  test('a tensor that the index promises elsewhere', async () => {
    const index = JSON.parse(fileText(`${SHARDED}/model.safetensors.index.json`)) as { weight_map: Record<string, string> };
    const open = (change: (map: Record<string, string>) => void) => {
      const copy = structuredClone(index);
      change(copy.weight_map);
      return ModelFiles.open(replaced(folderFiles(SHARDED), 'model.safetensors.index.json', JSON.stringify(copy)));
    };
    await expectError(() => open((map) => (map['model.ghost'] = SHARD_2)), 'tensor-missing', /promises tensor model\.ghost in model-00002.*no file/);
    await expectError(() => open((map) => (map['model.language_model.norm.weight'] = SHARD_2)), 'tensor-missing', /it is in model-00001/);
  });

  test('a tensor in two shards', async () => {
    const first = await openTensors(`${SHARDED}/model-00001-of-00002.safetensors`);
    const second = await openTensors(`${SHARDED}/${SHARD_2}`);
    const tensors = await Promise.all([...second.tensors.keys()].map(async (name) => ({ name, ...(await second.readTensor(name)) })));
    const norm = { name: 'model.language_model.norm.weight', ...(await first.readTensor('model.language_model.norm.weight')) };
    const bytes = writeSafetensors([...tensors, norm].map(({ bytes: data, ...rest }) => ({ ...rest, data })));
    await expectError(() => ModelFiles.open(replaced(folderFiles(SHARDED), SHARD_2, bytes)), 'file-corrupt', /norm\.weight is in both/);
  });
});

describe('sources', () => {
  test('files from the web are fetched by escaped address', async () => {
    const asked: string[] = [];
    vi.stubGlobal('fetch', async (url: string) => {
      asked.push(url);
      return url.endsWith('gone.json') ? new Response('', { status: 404, statusText: 'Not Found' }) : new Response('text');
    });
    const source = new UrlFileSource('https://host/demo/model/', ['a b.json', 'gone.json']);
    expect(await source.text('a b.json')).toBe('text');
    expect(await source.text('unlisted.json')).toBeNull();
    await expectError(() => source.text('gone.json'), 'file-missing', /answers 404 Not Found/);
    await expectError(() => source.blob('unlisted.json'), 'file-missing', /unlisted\.json is missing/);
    expect(asked).toEqual(['https://host/demo/model/a%20b.json', 'https://host/demo/model/gone.json']);
  });

  test('a failing connection is told', async () => {
    vi.stubGlobal('fetch', () => Promise.reject(new TypeError('network down')));
    await expectError(() => new UrlFileSource('/m', ['a']).blob('a'), 'file-missing', /\/m\/a cannot be fetched: network down/);
  });

  test('a whole model from the web', async () => {
    vi.stubGlobal('fetch', async (url: string) => new Response(fileBlob(`public${url}`)));
    const names = folderFiles('public/demo/model').map(({ path }) => path);
    const model = await ModelFiles.open(new UrlFileSource('/demo/model', names));
    expect(model.config.vocabSize).toBe(1024);
  });

  test('dropped files are found by clean paths', async () => {
    const source = new BlobFileSource([{ path: '/a\\b.txt', file: new Blob(['\uFEFFx']) }]);
    expect(source.names()).toEqual(['a/b.txt']);
    expect(await source.text('a/b.txt')).toBe('x');
    expect(await source.text('b.txt')).toBeNull();
    await expectError(() => source.blob('b.txt'), 'file-missing', /b\.txt/);
  });
});

test('linear modules carry PEFT paths and spare lm_head from quantisation', async () => {
  const config = JSON.parse(fileText(`${SINGLE}/config.json`)) as Record<string, unknown>;
  const modules = readArchitecture(JSON.stringify({ ...config, tie_word_embeddings: false })).linearModules;
  expect(modules.length).toBe(4 * 4 + 4 * 2 + 4 * 7 + 1);
  expect(modules.filter(({ quantizable }) => !quantizable).map(({ path }) => path)).toEqual(['lm_head']);
  expect(modules.find(({ path }) => path === 'model.visual.deepstack_merger_list.0.linear_fc2')).toEqual({
    path: 'model.visual.deepstack_merger_list.0.linear_fc2', outFeatures: 64, inFeatures: 192, bias: true, part: 'visual', quantizable: true, layer: null, inputGroup: 'model.visual.deepstack_merger_list.0.linear_fc2',
  });
});

test.each([
  ['model.layers.0.mlp.up_proj', 'model.language_model.layers.0.mlp.up_proj'],
  ['language_model.lm_head.weight', 'lm_head.weight'],
  ['lm_head.weight', 'lm_head.weight'],
  ['model.norm.weight', 'model.language_model.norm.weight'],
  ['model.normal', 'model.normal'],
  ['visual.blocks.0.attn.qkv', 'model.visual.blocks.0.attn.qkv'],
])('%s is published as %s', (old, published) => {
  expect(canonicalName(old)).toBe(published);
});
