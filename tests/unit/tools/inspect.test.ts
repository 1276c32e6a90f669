/** npm run inspect: what is recognised, what is said, and the exit code's reason. */
import { mkdirSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseTrainingConfig } from '../../../src/protocol/config.ts';
import { inspect } from '../../../tools/inspect/inspect.ts';
import { parseInspectArguments } from '../../../tools/inspect/options.ts';
import { recognise } from '../../../tools/inspect/recognise.ts';
import { formatInspected } from '../../../tools/inspect/report-text.ts';
import { ROOT } from '../../../tools/browser/ensure-build.ts';

const CASES = join(ROOT, 'tests/fixtures/cases');
const look = (...argv: string[]) => inspect(parseInspectArguments(argv)!);

describe('what an input is', () => {
  it.each([
    [['m/config.json', 'm/model-00001-of-00002.safetensors', 'm/tokenizer.json'], 'model'],
    [['a/adapter_config.json', 'a/adapter_model.safetensors', 'a/trainer_state.json'], 'adapter'],
    [['run/training_log.json', 'run/sft_config.json'], 'log'],
    [['loss.csv'], 'log'],
    [['d/train.json', 'd/a.png'], 'dataset'],
    [['d/config.json', 'd/train.jsonl'], 'dataset'],
  ] as const)('%j', (paths, kind) => {
    expect(recognise(paths).kind).toBe(kind);
  });
});

describe('a dataset', () => {
  it('is read for what most of its samples fit, with layout, counts, notices and the first conversations', async () => {
    const [pairs] = await look(join(CASES, '14-dpo-forms'));
    expect(pairs).toMatchObject({ usable: true, report: { kind: 'dataset', purpose: 'preference', train: 9, leftOut: 2, errors: 2 } });
    const text = formatInspected(pairs);
    expect(text).toContain('preference pairs (dpo)');
    expect(text).toMatch(/error: The chosen and the rejected side show different images or videos\. \(file 14-dpo-forms\/train\.json, sample 10, field rejected_images\)/);
    expect(text).toContain('rejected: None.');
    const [flags] = await look(join(CASES, '12-loss-flags'), '--samples', '0');
    expect(flags.report).toMatchObject({ purpose: 'conversations', train: 2, leftOut: 3, first: [] });
  });

  it('of files named one by one is one, with its model’s tokens and template', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'lorikeet-inspect-'));
    const turns = (answer: string) => [{ role: 'user', content: 'Where?' }, { role: 'assistant', content: answer }];
    writeFileSync(join(folder, 'a.json'), JSON.stringify([{ messages: turns('<box>(1,2),(3,4)</box>') }]));
    writeFileSync(join(folder, 'val.jsonl'), `${JSON.stringify({ messages: turns('There.') })}\n{broken`);
    const all = await look(join(folder, 'a.json'), join(folder, 'val.jsonl'), '--model', join(ROOT, 'public/demo/model'));
    expect(all.length).toBe(1);
    const [{ usable, report }] = all;
    expect(usable).toBe(true);
    expect(report).toMatchObject({ train: 1, validation: 1, leftOut: 1, errors: 1, boxes: { count: 1, answers: 1, smallest: 1, largest: 4, unit: 'thousandths' }, tokens: { media: 0, shortest: expect.any(Number) as number } });
    expect(report?.kind === 'dataset' && report.first[0].text).toMatch(/<\|im_start\|>user\nWhere\?<\|im_end\|>/);
  });

  it('counts every sample that is too long for the model, listed or not', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'lorikeet-inspect-'));
    const turns = [{ role: 'user', content: '7'.repeat(parseTrainingConfig({}).max_length) }, { role: 'assistant', content: 'No.' }];
    const rows = Array.from({ length: 203 }, () => ({ messages: turns }));
    writeFileSync(join(folder, 'rows.json'), JSON.stringify([...rows, { messages: [{ role: 'user', content: 'q' }, { role: 'assistant', content: 'a' }] }]));
    const [{ report }] = await look(folder, '--model', join(ROOT, 'public/demo/model'), '--samples', '0');
    expect(report).toMatchObject({ train: 1, leftOut: 203, errors: 203 });
    expect(report?.kind === 'dataset' && report.problems.length).toBe(200);
  });

  it('with ids that repeat and pictures that are gone has its errors first, all of them counted', async () => {
    const [{ report }] = await look(join(CASES, '06-llava-repeated-ids'));
    expect(report).toMatchObject({ train: 600, leftOut: 50, errors: 50, warnings: 1 });
    if (report?.kind !== 'dataset') throw new Error('it is a dataset');
    expect(report.problems.map(({ level }) => level)).toEqual([...Array<string>(50).fill('error'), 'warning']);
    expect(report.problems.at(-1)).toMatchObject({ field: 'id', message: expect.stringMatching(/\bid\b/) as string });
  });

  it('finds the boxes of an answer whatever stands around them, and refuses those outside', async () => {
    const [{ report }] = await look(join(CASES, '08b-single-object-json'));
    expect(report).toMatchObject({ train: 7, leftOut: 1, boxes: { count: 7, answers: 7, smallest: 100, largest: 400, unit: 'thousandths' } });
    expect(report?.kind === 'dataset' && report.problems).toEqual([expect.objectContaining({ level: 'error', sample: 8, message: expect.stringContaining('lies outside 0…1000') as string })]);
  });

  it('without a usable sample cannot be used', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'lorikeet-inspect-'));
    writeFileSync(join(folder, 'rows.json'), JSON.stringify([{ colour: 'red' }]));
    const [{ usable, report }] = await look(folder);
    expect(usable).toBe(false);
    expect(report).toMatchObject({ train: 0, errors: 1, problems: [{ message: expect.stringContaining('"colour"') as string }] });
  });
});

describe('annotations', () => {
  it.each([
    ['31b-exif-cvat', 'it holds annotations from CVAT', 1],
    ['16-annotation-exports/coco', 'it is none of model folder, adapter and training log', 1],
    ['16-annotation-exports/yolo', 'it is none of model folder, adapter and training log', 1],
  ])('%s is read as the page reads it', async (folder, because, train) => {
    const [{ usable, report }] = await look(join(CASES, folder));
    expect(usable).toBe(true);
    expect(report).toMatchObject({ because, train, leftOut: 0, errors: 0, boxes: { count: 1 } });
  });

  it('of pictures that a phone took are turned, and that is said', async () => {
    const [{ report }] = await look(join(CASES, '31-exif-phone'));
    expect(report).toMatchObject({ train: 3, warnings: 1, problems: [{ message: '1 images carry an orientation and were turned.' }] });
  });
});

describe('models, adapters and logs', () => {
  it('are opened as the page opens them', async () => {
    const [model] = await look(join(ROOT, 'public/demo/model'));
    expect(model).toMatchObject({ usable: true, report: { kind: 'model', modelType: 'qwen3_vl', boxUnit: 'thousandths', quantization: null } });
    const [adapter] = await look(join(ROOT, 'public/demo/adapter'), '--model', join(ROOT, 'public/demo/model'));
    expect(adapter).toMatchObject({ usable: true, report: { kind: 'adapter', r: expect.any(Number) as number, modules: expect.any(Number) as number } });
    const [log] = await look(join(ROOT, 'tests/fixtures/logs/hf'));
    expect(log).toMatchObject({ usable: true, report: { kind: 'log', runs: [{ steps: expect.any(Number) as number }] } });
  });

  it('that cannot be opened say why', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'lorikeet-inspect-'));
    mkdirSync(join(folder, 'half'));
    writeFileSync(join(folder, 'half/adapter_config.json'), '{}');
    const [half] = await look(join(folder, 'half'));
    expect(half).toMatchObject({ usable: false, report: null, faults: [{ code: 'file-missing' }] });
    expect(formatInspected(half)).toContain('cannot be used');
  });

  it.each(readdirSync(join(CASES, '20-adapters/configs')))('as an adapter, %s is refused by what its settings say', async (name) => {
    const [refused] = await look(join(CASES, '20-adapters/configs', name));
    expect(refused).toMatchObject({ usable: false, faults: [{ code: 'adapter', message: expect.stringMatching(/uses (kasa_config|init_lora_weights)/) as string }] });
  });

  it('an output folder without weights says so', async () => {
    const [empty] = await look(join(CASES, '20-adapters/trainer-output-dir'));
    expect(empty.faults).toMatchObject([{ code: 'file-missing', message: expect.stringContaining('no adapter_model.safetensors beside') as string }]);
  });

  it('of a console, a dictionary a line, is a log', async () => {
    const [log] = await look(join(CASES, '22-logs/console-dicts-jsonl/loss.jsonl'));
    expect(log).toMatchObject({ usable: true, report: { kind: 'log', because: 'it holds what a trainer prints to its console', runs: [{ metrics: expect.arrayContaining(['loss']) as string[] }] } });
  });
});

it('a wrong command line is refused', () => {
  expect(() => parseInspectArguments([])).toThrow(/Name a file/);
  expect(() => parseInspectArguments(['/nowhere/at/all'])).toThrow(/There is no/);
  expect(() => parseInspectArguments([CASES, '--method', 'ppo'])).toThrow(/sft, dpo/);
  expect(parseInspectArguments(['--help'])).toBeUndefined();
});

it('settings of other trainers say what is taken and what is not', async () => {
  const [yaml] = await look(join(CASES, '40-settings/lf.yaml'));
  expect(yaml).toMatchObject({ usable: true, report: { kind: 'settings', method: 'sft', taken: ['stage', 'lora_rank', 'lora_target', 'learning_rate'], left: ['model_name_or_path = "Qwen/Qwen3-VL-2B-Instruct"'] } });
  expect(formatInspected(yaml)).toContain('left out');
});
