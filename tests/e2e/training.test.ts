/** The whole way on the real engine: a run that is killed anywhere goes on in a new tab as if nothing had been, and its files are what PEFT expects. */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { unzipSync } from 'fflate';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LANGUAGE_MODEL_TARGETS, parseTrainingConfig } from '../../src/protocol/config.ts';
import type { TrainingLog } from '../../src/protocol/log.ts';
import { CLOCK_KEYS } from '../../src/training/log.ts';
import { SafetensorsFile } from '../../src/checkpoint/safetensors.ts';
import { toFloat32 } from '../../src/checkpoint/tensor-values.ts';
import { ROOT } from '../../tools/browser/ensure-build.ts';
import { openReal, type RealBrowser, type RealPage } from '../../tools/demo/real-page.ts';
import { kill, prepareDataset } from '../../tools/demo/small-dataset.ts';

const STEPS = 6;
const RANK = 4;
const config = parseTrainingConfig({
  r: RANK, lora_alpha: 8, lora_dropout: 0.1, learning_rate: 2e-3, per_device_train_batch_size: 1, gradient_accumulation_steps: 2, max_steps: STEPS,
  logging_steps: 1, eval_steps: 3, eval_num_samples: 2, eval_batch_size: 2, max_new_tokens: 8, save_steps: 2, max_length: 512, max_image_size: 0,
});

/** Where the kill falls differs from time to time; a failure is repeated by giving its number in LORIKEET_SEED. */
const seed = Number(process.env.LORIKEET_SEED ?? Date.now() % 100_000);
const killedAfter = 1 + (seed % (STEPS - 1));
const killDelay = Math.floor(seed / (STEPS - 1)) % 200;

const faults: string[] = [];
let browser: RealBrowser;
let whole: Record<string, Uint8Array>;
let resumed: Record<string, Uint8Array>;
let methodCard: string;
let last: RealPage;

const logOf = (files: Record<string, Uint8Array>) => JSON.parse(new TextDecoder().decode(files['training_log.json'])) as TrainingLog;
const without = (row: object, keys: readonly string[]) => Object.fromEntries(Object.entries(row).filter(([key]) => !keys.includes(key)));

beforeAll(async () => {
  browser = await openReal((text) => faults.push(text));
  const folder = prepareDataset(join(browser.scratch, 'samples'), { 'sft_train.json': 7, 'sft_val.json': 3 });
  const { page, train, until } = await browser.open();
  await train.importSettings(config);
  await train.chooseModel(undefined);
  await page.getByTestId('train-folder').setInputFiles(folder);
  await page.getByTestId('plan-card').waitFor({ timeout: 120_000 });

  const ended = until((event) => event.type === 'finished');
  await train.start();
  await ended;
  whole = unzipSync(await train.downloadRun());

  console.log(`seed ${seed}: killed ${killDelay} ms after step ${killedAfter}`);
  await page.getByTestId('new-run').click();
  const reached = until((event) => event.type === 'train' && event.row.step === killedAfter);
  await train.start();
  await reached;
  await page.waitForTimeout(killDelay);
  expect(faults).toEqual([]);
  await kill(page);

  const again = await browser.open();
  await again.page.getByTestId('preset-original').click();
  await again.page.getByTestId('interrupted').waitFor();
  const finished = again.until((event) => event.type === 'finished');
  await again.page.getByTestId('resume').click();
  await finished;
  methodCard = await again.page.getByTestId('method-card').innerText();
  resumed = unzipSync(await again.train.downloadRun());
  last = again;
}, 400_000);

afterAll(() => browser?.close());

describe('a run that was killed and resumed', () => {
  it('has the same training rows as one that was not', () => {
    const rows = (files: Record<string, Uint8Array>) => logOf(files).train_history.map((row) => without(row, CLOCK_KEYS as string[]));
    expect(rows(whole).map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(rows(resumed)).toEqual(rows(whole));
    expect(logOf(resumed).notices.length).toBeGreaterThan(0);
  });

  it('has the same validations and answers', () => {
    const rows = (files: Record<string, Uint8Array>) => logOf(files).val_history.map((row) => without(row, ['eval_runtime', 'time']));
    expect(rows(whole).map(({ step }) => step)).toEqual([0, 3, 6]);
    expect(rows(whole)[2].eval_loss).toBeLessThan(rows(whole)[0].eval_loss as number);
    expect(rows(resumed)).toEqual(rows(whole));
    expect(logOf(resumed).best_checkpoint).toEqual(logOf(whole).best_checkpoint);
    expect(resumed['val_predictions.jsonl']).toEqual(whole['val_predictions.jsonl']);
  });

  it('brings its settings back to the page', () => {
    expect(methodCard).toContain('2e-3');
    expect(methodCard).toMatch(/Steps\s+6/);
  });

  it('leaves the same files, and the same adapters to the last bit', () => {
    // An event file is named by when its run was made.
    const names = (files: Record<string, unknown>) => Object.keys(files).map((path) => path.replace(/tfevents\.\d+/, 'tfevents')).sort();
    expect(names(resumed)).toEqual(names(whole));
    const adapters = Object.keys(whole).filter((path) => path.endsWith('adapter_model.safetensors'));
    expect(adapters).toEqual(expect.arrayContaining(['best/adapter_model.safetensors', 'final/adapter_model.safetensors', 'checkpoint-6/adapter_model.safetensors']));
    for (const path of adapters) expect(Buffer.compare(resumed[path], whole[path]), path).toBe(0);
  });
});

describe('the adapter', () => {
  it.each(['best', 'final'])('in %s/ has the files and settings that PEFT reads', (folder) => {
    const names = Object.keys(whole).filter((path) => path.startsWith(`${folder}/`));
    expect(names.sort()).toEqual([`${folder}/adapter_config.json`, `${folder}/adapter_model.safetensors`]);
    expect(JSON.parse(new TextDecoder().decode(whole[`${folder}/adapter_config.json`]))).toMatchObject({
      peft_type: 'LORA', task_type: 'CAUSAL_LM', r: RANK, lora_alpha: 8, lora_dropout: 0.1, bias: 'none', target_modules: LANGUAGE_MODEL_TARGETS, use_rslora: false,
      use_dora: false, fan_in_fan_out: false, inference_mode: true, modules_to_save: null,
    });
  });

  it('has one pair of matrices for each language-model layer, by PEFT’s names and of the right shapes', () => {
    const bytes = whole['final/adapter_model.safetensors'];
    const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
    const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length))) as Record<string, { dtype: string; shape: number[] }>;
    const { text_config: text } = JSON.parse(readFileSync(join(ROOT, 'public/demo/model/config.json'), 'utf8')) as { text_config: Record<string, number> };
    const queries = text.num_attention_heads * text.head_dim;
    const keys = text.num_key_value_heads * text.head_dim;
    const sizes: Record<string, [input: number, output: number]> = {
      'self_attn.q_proj': [text.hidden_size, queries],
      'self_attn.k_proj': [text.hidden_size, keys],
      'self_attn.v_proj': [text.hidden_size, keys],
      'self_attn.o_proj': [queries, text.hidden_size],
      'mlp.gate_proj': [text.hidden_size, text.intermediate_size],
      'mlp.up_proj': [text.hidden_size, text.intermediate_size],
      'mlp.down_proj': [text.intermediate_size, text.hidden_size],
    };
    const expected: Record<string, { dtype: string; shape: number[] }> = {};
    for (let layer = 0; layer < text.num_hidden_layers; layer++) {
      for (const [module, [input, output]] of Object.entries(sizes)) {
        const name = `base_model.model.model.language_model.layers.${layer}.${module}`;
        expected[`${name}.lora_A.weight`] = { dtype: 'F32', shape: [RANK, input] };
        expected[`${name}.lora_B.weight`] = { dtype: 'F32', shape: [output, RANK] };
      }
    }
    const found = Object.fromEntries(Object.entries(header).filter(([name]) => name !== '__metadata__').map(([name, { dtype, shape }]) => [name, { dtype, shape }]));
    expect(found).toEqual(expected);
  });
});

describe('the merged model', () => {
  /** What the page wrote into the folder that was picked: SHA-256 by name. */
  const pickedFiles = () =>
    last.page.evaluate(async () => {
      const entriesOf = (folder: FileSystemDirectoryHandle) => (folder as unknown as { values(): AsyncIterable<FileSystemHandle> }).values();
      const root = await (await navigator.storage.getDirectory()).getDirectoryHandle('picked');
      const found: Record<string, Record<string, string>> = {};
      for await (const folder of entriesOf(root)) {
        found[folder.name] = {};
        for await (const entry of entriesOf(folder as FileSystemDirectoryHandle)) {
          const digest = await crypto.subtle.digest('SHA-256', await (await (entry as FileSystemFileHandle).getFile()).arrayBuffer());
          found[folder.name][entry.name] = Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
        }
      }
      return found;
    });
  const tensorsOf = async (bytes: Uint8Array) => {
    const file = await SafetensorsFile.open(new Blob([bytes as Uint8Array<ArrayBuffer>]), 'model.safetensors');
    return { file, floats: async (name: string) => toFloat32(await file.readTensor(name), { file: 'model.safetensors', field: name }) };
  };

  it('is written into a picked folder and as a ZIP, the same files; base plus adapter in bf16; and opens on the page', async () => {
    const { page, train } = last;
    await page.evaluate(() => {
      Object.defineProperty(window, 'showDirectoryPicker', { configurable: true, value: async () => (await navigator.storage.getDirectory()).getDirectoryHandle('picked', { create: true }) });
    });
    await page.getByTestId('download-merged').click();
    await page.getByTestId('merged').waitFor({ timeout: 60_000 });
    const picked = await pickedFiles();
    const [name] = Object.keys(picked);

    await page.evaluate(() => Object.defineProperty(window, 'showDirectoryPicker', { value: undefined }));
    const [download] = await Promise.all([page.waitForEvent('download', { timeout: 60_000 }), page.getByTestId('download-merged').click()]);
    const zipped = unzipSync(readFileSync(await download.path()));
    const byName = Object.fromEntries(Object.entries(zipped).map(([path, bytes]) => [basename(path), bytes]));
    expect(Object.keys(zipped).every((path) => dirname(path) === name)).toBe(true);
    expect(Object.fromEntries(Object.entries(byName).map(([file, bytes]) => [file, createHash('sha256').update(bytes).digest('hex')]))).toEqual(picked[name]);
    expect(Object.keys(byName)).toEqual(expect.arrayContaining(['config.json', 'model.safetensors', 'tokenizer.json', 'README.md']));

    const [base, merged, adapter] = await Promise.all([
      tensorsOf(readFileSync(join(ROOT, 'public/demo/model/model.safetensors'))),
      tensorsOf(byName['model.safetensors']),
      tensorsOf(resumed['best/adapter_model.safetensors']),
    ]);
    expect([...merged.file.tensors.keys()].sort()).toEqual([...base.file.tensors.keys()].sort());
    const layer = 'model.language_model.layers.1.mlp.down_proj';
    const [rows, columns] = base.file.info(`${layer}.weight`).shape;
    expect(merged.file.info(`${layer}.weight`)).toMatchObject({ dtype: 'BF16', shape: [rows, columns] });
    const [before, after, a, b] = await Promise.all([
      base.floats(`${layer}.weight`),
      merged.floats(`${layer}.weight`),
      adapter.floats(`base_model.model.${layer}.lora_A.weight`),
      adapter.floats(`base_model.model.${layer}.lora_B.weight`),
    ]);
    const scale = 8 / RANK;
    let [moved, wrong] = [0, 0];
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        let product = 0;
        for (let k = 0; k < RANK; k++) product += b[row * RANK + k] * a[k * columns + column];
        const at = row * columns + column;
        const expected = before[at] + scale * product;
        if (Math.abs(after[at] - expected) > Math.abs(expected) * 2 ** -8) wrong++;
        if (after[at] !== before[at]) moved++;
      }
    }
    expect(wrong).toBe(0);
    expect(moved).toBeGreaterThan(rows * columns * 0.05);

    const folder = join(browser.scratch, name);
    mkdirSync(folder, { recursive: true });
    for (const [file, bytes] of Object.entries(byName)) writeFileSync(join(folder, file), bytes);
    await page.getByTestId('new-run').click();
    await page.getByTestId('model-change').click();
    await train.chooseModel(folder);
    await page.getByTestId('model-card').getByText(name).first().waitFor();
  }, 200_000);
});
