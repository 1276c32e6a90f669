import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { strToU8, zipSync } from 'fflate';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { TrainingLog, TrainRow, ValRow } from '../../../src/protocol/log.ts';
import { parseDemoOptions } from '../../../tools/demo/options.ts';
import { describeError, describeProblem } from '../../../tools/demo/page.ts';
import { drawBar, formatStep, formatValidation, ProgressView } from '../../../tools/demo/progress.ts';
import { referencedFiles, stageDataset } from '../../../tools/demo/staging.ts';
import { comparedRows, formatSummary, stepSeconds } from '../../../tools/demo/summary.ts';
import { commonFolder, unpackRun } from '../../../tools/demo/unpack.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lorikeet-test-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const trainRow = (step: number, loss: number): TrainRow => ({
  step, epoch: step / 40, loss, learning_rate: 0.002, grad_norm: 1, tokens_per_second: 210.4, step_time_ms: 900, gpu_memory_mb: 80,
  num_tokens: step * 1000, samples: step * 8, elapsed_s: step * 5, time: '2026-01-01T00:00:00Z',
});
const valRow = (step: number, loss: number, format?: number): ValRow => ({
  step, epoch: step / 40, eval_loss: loss, eval_runtime: 20, eval_samples: 64, time: '2026-01-01T00:00:00Z', eval_format: format,
});
const log = (val: ValRow[], bestStep: number | null): TrainingLog => ({
  config: {}, train_history: [trainRow(1, 7.5), trainRow(60, 0.31)], val_history: val,
  best_checkpoint: bestStep === null ? null : { step: bestStep, epoch: 1, metric: 'eval_loss', value: 0.25, path: 'best' },
  final_metrics: {},
  environment: { lorikeet_version: '0', user_agent: '', adapter: 'test adapter', features: [], mixed_precision: 'no', quantization: 'nf4' },
  notices: [{ step: 3, level: 'warning', message: 'loss jumped', time: '' }, { step: 4, level: 'info', message: 'saved', time: '' }],
});

describe('demo options', () => {
  it('starts from the demo preset', () => {
    const options = parseDemoOptions([])!;
    expect(options.config).toMatchObject({ max_steps: 60, learning_rate: 2e-3, lr_scheduler_type: 'cosine', per_device_train_batch_size: 8 });
    expect(options.out.endsWith('outputs/demo')).toBe(true);
    expect(options.model).toBeUndefined();
  });

  it('lets single options win over the settings file, and the file over the preset', () => {
    const file = join(folder, 'settings.json');
    writeFileSync(file, JSON.stringify({ max_steps: 7, lora_r: 8, seed: 5 }));
    const { config } = parseDemoOptions(['--config', file, '--steps', '9'])!;
    expect([config.max_steps, config.r, config.seed, config.learning_rate]).toEqual([9, 8, 5, 2e-3]);
  });

  it.each([
    [['--steps', '0'], /--steps must be a whole number/],
    [['--steps', '1.5'], /--steps must be a whole number/],
    [['--model', '/no/such/folder'], /there is no folder \/no\/such\/folder/],
    [['--train', '/'], /--train: there is no file/],
    [['--val', 'x.json'], /--val goes with --train/],
    [['--method', 'magic'], /--method: magic/],
    [['--nonsense'], /nonsense/],
  ])('refuses %j', (argv, message) => {
    expect(() => parseDemoOptions(argv)).toThrow(message);
  });

  it('refuses a settings file that is not one object', () => {
    const file = join(folder, 'settings.json');
    writeFileSync(file, '[1]');
    expect(() => parseDemoOptions(['--config', file])).toThrow(/must hold one JSON object/);
    writeFileSync(file, '{');
    expect(() => parseDemoOptions(['--config', file])).toThrow(/not valid JSON/);
  });
});

describe('progress', () => {
  it('draws bars, steps and validations', () => {
    expect(drawBar(0.5, 4)).toBe('██░░');
    expect(drawBar(2, 4)).toBe('████');
    expect(formatStep(7, 60, trainRow(7, 1.23456), 65)).toBe('step  7/60  loss 1.2346  lr 2.00e-3  210 tokens/s  1 min 05 s left');
    expect(formatValidation(valRow(20, 0.5, 0.25))).toBe('validation at step 20: loss 0.5000  format 0.2500  (20 s)');
  });

  it('redraws in a terminal and keeps the bar below printed lines', () => {
    let text = '';
    const view = new ProgressView({ isTTY: true, columns: 80, write: (part: string) => (text += part) });
    view.update(0.25, 'step 1/4', true);
    view.print('a line');
    expect(text.split('\u001b[2K').at(-1)).toBe(`a line\n${drawBar(0.25)}  25 %  step 1/4`);
  });

  it('prints only what matters, or one line per interval, without a terminal', () => {
    const lines: string[] = [];
    let now = 0;
    const view = new ProgressView({ write: (part: string) => lines.push(part) }, () => now);
    view.update(0.1, 'step 1', true);
    view.update(0.2, 'loading', false);
    now = 6000;
    view.update(0.3, 'loading more', false);
    expect(lines).toEqual(['step 1\n', 'loading more\n']);
  });
});

describe('summary', () => {
  it('puts before, best and last side by side', () => {
    const text = formatSummary(log([valRow(0, 7.6, 0), valRow(40, 0.25, 0.8), valRow(60, 0.27, 0.9)], 40), 400, 'outputs/demo');
    expect(text).toMatch(/before +best \(step 40\) +last \(step 60\)/);
    expect(text).toMatch(/validation loss +7\.6000 +0\.2500 +0\.2700/);
    expect(text).toMatch(/format +0\.000 +0\.800 +0\.900/);
    expect(text).not.toMatch(/category/);
    expect(text).toMatch(/training 54 s, validation 1 min 00 s, everything 6 min 40 s/);
    expect(text).toMatch(/warning +step 3: loss jumped/);
    expect(text).not.toMatch(/saved/);
  });

  it('counts the steps between rows', () => {
    expect(stepSeconds([])).toBe(0);
    expect(stepSeconds([trainRow(1, 1), { ...trainRow(11, 1), step_time_ms: 2000 }])).toBeCloseTo(20.9, 10);
  });

  it('has no "before" without a validation at step 0, and says when none was made', () => {
    expect(comparedRows(log([valRow(20, 1)], 20)).before).toBeUndefined();
    expect(formatSummary(log([], null), 1, 'x')).toMatch(/No validation was made/);
  });
});

describe('unpacking a run', () => {
  const zip = (entries: Record<string, string>) => zipSync(Object.fromEntries(Object.entries(entries).map(([name, text]) => [name, strToU8(text)])));

  it('drops the folder round everything and replaces an older run', () => {
    mkdirSync(join(folder, 'checkpoint-10'));
    mkdirSync(join(folder, 'pictures'));
    for (const name of ['notes.txt', 'val_answers.jsonl', 'pictures/mine.png', 'pictures/sample-12.png', 'pictures/answer-0.jpg']) writeFileSync(join(folder, name), 'old');
    const files = unpackRun(zip({ 'run-a/training_log.json': '{}', 'run-a/best/adapter_config.json': '{"r":1}' }), folder);
    expect(files.sort()).toEqual(['best/adapter_config.json', 'training_log.json']);
    expect(readFileSync(join(folder, 'best/adapter_config.json'), 'utf8')).toBe('{"r":1}');
    for (const gone of ['checkpoint-10', 'val_answers.jsonl', 'pictures/sample-12.png', 'pictures/answer-0.jpg']) expect(existsSync(join(folder, gone)), gone).toBe(false);
    for (const mine of ['notes.txt', 'pictures/mine.png']) expect(existsSync(join(folder, mine)), mine).toBe(true);
  });

  it('finds the shared folder only where there is one', () => {
    expect(commonFolder(['a/x', 'a/b/y'])).toBe('a/');
    expect(commonFolder(['a/x', 'y'])).toBe('');
    expect(commonFolder([])).toBe('');
  });

  it('refuses names that leave the folder', () => {
    expect(() => unpackRun(zip({ '../evil': 'x', 'a': 'y' }), folder)).toThrow(/outside its folder/);
  });
});

describe('staging a dataset', () => {
  it('takes the data file and the images it names, nothing else', () => {
    mkdirSync(join(folder, 'images'));
    for (const name of ['images/a.png', 'images/b.png', 'images/unused.png', 'other.json']) writeFileSync(join(folder, name), name);
    const file = join(folder, 'train.json');
    writeFileSync(file, JSON.stringify([{ image: 'images/a.png', note: 'images/b.png\n' }, { images: ['images/b.png', '../secret', '/etc/passwd', 'missing.png'] }]));
    expect(referencedFiles(file)).toEqual(['images/a.png', 'images/b.png']);
    const staged = stageDataset(file, join(folder, 'staged'));
    expect(readFileSync(join(staged, 'images/a.png'), 'utf8')).toBe('images/a.png');
    expect(existsSync(join(staged, 'train.json'))).toBe(true);
    expect(existsSync(join(staged, 'images/unused.png'))).toBe(false);
  });

  it('reads JSONL with broken lines', () => {
    const file = join(folder, 'train.jsonl');
    writeFileSync(join(folder, 'x.png'), '');
    writeFileSync(file, '{"image":"x.png"}\n{broken\n');
    expect(referencedFiles(file)).toEqual(['x.png']);
  });
});

describe('what the page reports', () => {
  it('keeps place and advice', () => {
    const place = { file: 'config.json', field: 'model_type' };
    expect(describeError({ code: 'unsupported-model', message: 'No.', advice: 'Choose another.', place })).toBe('No. (file config.json, field model_type) Choose another.');
    expect(describeError({ code: 'internal', message: 'No.', advice: '', place: {} })).toBe('No.');
    expect(describeProblem({ level: 'warning', code: 'dataset', message: 'Twice.', advice: 'Keep one.', file: 'a.json', sample: 3 })).toBe('warning: Twice. (file a.json, sample 3) Keep one.');
  });
});
