import { describe, expect, it } from 'vitest';
import { readCsv, writeCsv } from '../../../src/reports/csv-reader.ts';
import { MAX_JSON_DEPTH, readJson } from '../../../src/reports/json-reader.ts';
import { seconds } from '../../../src/reports/jsonl-logs.ts';
import { bestOf } from '../../../src/reports/metrics.ts';
import { inWords } from '../../../src/reports/notes.ts';
import { checkLogSize, readLog } from '../../../src/reports/read-log.ts';
import { MAX_LOG_BYTES, MAX_LOG_METRICS } from '../../../src/reports/run-log.ts';
import { readRun, readRuns } from './logs.ts';

describe('dialects', () => {
  it('tells every example apart by its content', () => {
    const dialects = [
      'lorikeet/training_log.json', 'original-sft/training_log.json', 'original-dpo/training_log.json', 'original-grpo/training_log.json',
      'original-grpo-trl/training_log.json', 'synthetic-grpo/training_log.json', 'hf/checkpoint-300/trainer_state.json', 'llama-factory/trainer_log.jsonl',
      'ms-swift/logging.jsonl', 'wandb-chart.csv', 'wandb-history.csv', 'trackio.csv',
    ].map((name) => readRun(name).dialect);
    expect(dialects).toEqual([
      'lorikeet', 'original-sft', 'original-dpo', 'original-grpo', 'original-grpo-trl', 'original-grpo', 'hf-trainer-state', 'llama-factory', 'ms-swift',
      'wandb-csv', 'wandb-csv', 'trackio-csv',
    ]);
  });

  it('reads our own log with its notices and device', () => {
    const run = readRun('lorikeet/training_log.json');
    expect(run.train.map((row) => row.step)).toEqual([1, 2, 3]);
    expect(run.validation).toHaveLength(2);
    expect(run.environment.adapter).toBe('google swiftshader');
    expect(run.best).toMatchObject({ step: 3, metric: 'eval_loss', path: 'best', metrics: { eval_loss: 5.296137298546564 } });
    expect(run.notes).toMatchObject([{ level: 'warning', message: 'Step 2: Saving took longer than 30 seconds.' }]);
  });

  it('reads the synthetic GRPO log value by value', () => {
    const run = readRun('synthetic-grpo/training_log.json');
    expect(run.train.map((row) => [row.step, row.loss, row.reward])).toEqual([[10, 0.8, 2], [20, 0.7, 2.2], [30, 0.6, 2.4]]);
    expect(run.validation).toHaveLength(1);
    expect(run.validation[0]).toMatchObject({ step: 30, val_reward: 2.3, val_completeness: 0.3 });
    expect(run.best).toMatchObject({ step: 30, epoch: 1, metric: 'val_reward', metrics: { val_reward: 2.3 }, path: 'test_output/best' });
    expect(run.notes).toEqual([]);
  });

  it('finds the best validation of an SFT log that recorded null', () => {
    const run = readRun('original-sft/training_log.json');
    expect(run.best).toBeNull();
    expect(bestOf(run)).toMatchObject({ metric: 'eval_loss', value: 0.9021, step: 40, recorded: false });
  });

  it('keeps all that a DPO log records with its best checkpoint', () => {
    const { best } = readRun('original-dpo/training_log.json');
    expect(best).toMatchObject({ metric: 'val_accuracy', metrics: { val_accuracy: 0.74, val_loss: 0.6399, val_reward_margin: 0.1127 } });
  });

  it('splits trainer_state.json into training, validation and closing figures, and names the best metric', () => {
    const run = readRun('hf/checkpoint-300/trainer_state.json');
    expect(run.train.map((row) => [row.step, row.loss])).toEqual([[50, 2.104], [100, 1.62], [150, 1.401], [200, 1.297], [250, 1.22]]);
    expect(run.validation.map((row) => [row.step, row.eval_loss])).toEqual([[100, 1.58], [200, 1.42], [300, 1.47]]);
    expect(run.finalMetrics).toMatchObject({ train_runtime: 845.2, train_loss: 1.528 });
    expect(run.config).toMatchObject({ max_steps: 300, train_batch_size: 8 });
    expect(bestOf(run)).toMatchObject({ metric: 'eval_loss', value: 1.42, step: 200, epoch: 2, path: 'out/checkpoint-200', recorded: true });
  });

  it('reads a bare log_history', () => {
    const [run] = readLog('[{"step": 1, "loss": 2}, {"step": 1, "eval_loss": 3}]', 'history.json');
    expect([run.train.length, run.validation.length]).toEqual([1, 1]);
  });

  it('reads steps, rate and clock of LLaMA-Factory and counts its empty lines', () => {
    const run = readRun('llama-factory/trainer_log.jsonl');
    expect(run.train.map((row) => [row.step, row.loss, row.lr, row.elapsed_s])).toEqual([[10, 1.9, 5e-5, 41], [20, 1.4, 2.5e-5, 80], [30, 1.2, 0, 127]]);
    expect(run.validation.map((row) => [row.step, row.eval_loss])).toEqual([[20, 1.35], [30, 1.21]]);
    expect(run.config.max_steps).toBe(30);
    expect(run.notes).toMatchObject([{ level: 'info', message: 'A line tells progress only and has no metric: once, first in line 6.', line: 6 }]);
  });

  it('reads ms-swift with its step of total and its closing line', () => {
    const run = readRun('ms-swift/logging.jsonl');
    expect(run.train.map((row) => [row.step, row.loss, row['memory(GiB)'], row.elapsed_s])).toEqual([[1, 2.31, 17.4, 6], [10, 1.84, 17.6, 61], [20, 1.39, 17.6, 126]]);
    expect(run.finalMetrics.train_loss).toBe(1.81);
    expect(bestOf(run)).toMatchObject({ metric: 'eval_loss', value: 1.55, step: 20, path: 'output/v0/checkpoint-20' });
    expect(run.notes).toEqual([]);
  });

  it('reads a W&B chart as one run per column and leaves the ranges out, said so', () => {
    const runs = readRuns('wandb-chart.csv');
    expect(runs.map((run) => run.name)).toEqual(['brisk-river-1', 'lr, high']);
    expect(runs[0].train.map((row) => [row.step, row['train/loss']])).toEqual([[10, 1.9], [20, 1.4], [30, 1.1]]);
    expect(runs[1].train.map((row) => [row.step, row['train/loss']])).toEqual([[10, 2.4], [30, null]]);
    expect(runs[1].notes.map((note) => note.level)).toEqual(['info', 'warning']);
  });

  it('takes the trainer\'s step of a W&B history before the logger\'s', () => {
    const run = readRun('wandb-history.csv');
    expect(run.train.map((row) => [row.step, row['train/loss'], row.epoch])).toEqual([[10, 2.2, 0.5], [20, 1.7, 1]]);
    expect(run.validation.map((row) => [row.step, row['eval/loss']])).toEqual([[20, 1.65]]);
  });

  it('reads the runs of one trackio table', () => {
    const runs = readRuns('trackio.csv');
    expect(runs.map((run) => [run.name, run.train.length, run.validation[0]['eval/reward']])).toEqual([['seed-1', 2, 1.5], ['seed-2', 2, 1.75]]);
    expect(runs[1].train[1].loss).toBeNull();
  });
});

describe('damaged and hostile logs', () => {
  it('shows what stands before a break and names line and byte', () => {
    const run = readRun('truncated.json');
    expect(run.train.map((row) => [row.step, row.loss, row.reward])).toEqual([[1, 2, 0.25], [2, 1, 0.5], [4, 0.5, 1], [5, undefined, undefined]]);
    expect(run.notes[0]).toMatchObject({ level: 'warning', line: 28, byte: 417 });
    expect(run.notes[0].message).toContain('line 28, byte 417: a number begins here that is cut or malformed');
  });

  it('loses nothing whole wherever a log is cut', () => {
    const whole = JSON.stringify({ train_history: [{ step: 1, loss: 2.5 }, { step: 2, loss: 1.5, note: 'é\n"x"' }], val_history: [] });
    for (let length = 1; length < whole.length; length += 1) {
      const { value, break: stop } = readJson(whole.slice(0, length));
      expect(stop, `cut at ${length}`).not.toBeNull();
      const history = (value as { train_history?: { step?: number; loss?: number }[] } | undefined)?.train_history ?? [];
      for (const [i, row] of history.entries()) {
        expect([undefined, i + 1]).toContain(row.step);
        expect([undefined, 2.5 - i]).toContain(row.loss);
      }
      if (length > whole.indexOf('},{')) expect({ ...history[0] }).toEqual({ step: 1, loss: 2.5 });
    }
    expect(readJson(whole).break).toBeNull();
  });

  it('keeps NaN and Infinity as counted gaps, and counts numbers written as text', () => {
    const run = readRun('not-finite.json');
    expect(run.train.map((row) => row.loss)).toEqual([1.5, null, 1.25, 0.75]);
    expect(run.train.map((row) => row.grad_norm)).toEqual([3, null, null, 1]);
    expect(run.notes.map((note) => note.message)).toEqual([
      'A number was written as text and is read as a number: once, first in train_history, row 4.',
      'loss is not a finite number once (gap in its curve), first in train_history, row 2.',
      'grad_norm is not a finite number 2 times (gap in its curve), first in train_history, row 2.',
    ]);
  });

  it('takes __proto__ and constructor as names like any other', () => {
    const run = readRun('hostile.json');
    expect(Object.keys(run.train[0])).toEqual(['step', '__proto__', '<script>alert(1)</script>', 'constructor', 'loss\u001b[31m', '../../etc/passwd', '=cmd()']);
    expect(run.train.map((row) => Object.getOwnPropertyDescriptor(row, '__proto__')?.value)).toEqual([1, 1.5]);
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
    const broken = readJson('{"__proto__": {"polluted": NaN}, "a": 1}');
    expect(Object.keys(broken.value as object)).toEqual(['__proto__', 'a']);
    expect((broken.value as { polluted?: number }).polluted).toBeUndefined();
  });

  it('leaves out rows without a place, counted and named', () => {
    const [run] = readLog('{"train_history": [{"step": 1, "loss": 1}, {"loss": 2}, 7, {"step": -1, "loss": 3}, {"step": 2, "loss": {"a": 1}, "x": true}]}', 'a.json');
    expect(run.train.map((row) => row.step)).toEqual([1, 2]);
    expect(run.notes.map((note) => note.message)).toEqual([
      'A row has no step of at least 0 and was left out: 2 times, first in train_history, row 2.',
      'A row is not an object with named values and was left out: once, first in train_history, row 3.',
      'A value that is neither a number nor a text was left out: 2 times, first in train_history, row 5.',
    ]);
  });

  it('names lines of a JSONL file that are no JSON, and a last line that was cut', () => {
    const [run] = readLog('{"current_steps": 1, "loss": 2}\nTraceback\n{"current_steps": 2, "loss": 1}\n{"current_steps": 3, "loss": 0.5, "lr": 1e-', 'trainer_log.jsonl');
    expect(run.train.map((row) => [row.step, row.loss])).toEqual([[1, 2], [2, 1], [3, 0.5]]);
    expect(run.train[2].lr).toBeUndefined();
    expect(run.notes.map((note) => note.line)).toEqual([4, 2]);
    expect(run.notes[1].message).toContain('A line is no JSON object');
  });

  it('says when the steps of a resumed run go back', () => {
    const [run] = readLog('{"train_history": [{"step": 1, "loss": 1}, {"step": 5, "loss": 1}, {"step": 3, "loss": 2}]}', 'a.json');
    expect(run.notes[0].message).toContain('from 5 to 3');
  });

  it.each([
    ['', 'is empty'],
    ['hello', 'neither JSON nor a table'],
    ['{"a": 1}', 'neither train_history nor log_history'],
    ['{\n"a": 1\n}', 'neither train_history nor log_history'],
    ['{"a": [1, 2', 'breaks off before its first history'],
    ['{"train_history": [], "val_history": []}', 'holds no row'],
    ['{"train_history": [], "log_history": []}', 'marks of two formats'],
    ['{"train_history": {"step": 1}}', 'train_history has the wrong type'],
    ['a,b\n1,2\n', 'no step column'],
  ])('refuses %j with a reason', (text, reason) => {
    expect(() => readLog(text, 'a.json')).toThrow(reason);
  });

  it('names the limit that a file breaks', () => {
    expect(() => checkLogSize(MAX_LOG_BYTES + 1, 'big.json')).toThrow('257 MiB; training logs of at most 256 MiB');
    expect(() => checkLogSize(MAX_LOG_BYTES, 'big.json')).not.toThrow();
    const wide = Object.fromEntries(Array.from({ length: MAX_LOG_METRICS + 1 }, (_, i) => [`m${i}`, i]));
    expect(() => readLog(JSON.stringify({ train_history: [{ step: 1, ...wide }] }), 'wide.json')).toThrow(`more than ${MAX_LOG_METRICS} different metrics`);
    const rows = `{"train_history": [${'{"step":1},'.repeat(2_000_000)}{"step":1}]}`;
    expect(() => readLog(rows, 'long.json')).toThrow('more than 2,000,000 rows');
  });

  it('ends at nesting that is too deep instead of overflowing', () => {
    const { break: stop } = readJson(`${'['.repeat(200_000)}NaN`);
    expect(stop && inWords(stop.reason, 'en')).toBe(`nesting is deeper than ${MAX_JSON_DEPTH} levels`);
  });
});

describe('small parts', () => {
  it('reads both ways of writing a duration', () => {
    expect(['0:00:41', '1 day, 2:03:04', '1h 6m 30s', '3d 20h 10m 53s', '6s', 'soon'].map(seconds)).toEqual([41, 93784, 3990, 331853, 6, null]);
  });

  it('reads quoted cells and writes them back', () => {
    const table = readCsv('a,"b ""x"", y"\r\n1,"two\nlines"\n\n3,4', 10);
    expect(table).toEqual({ header: ['a', 'b "x", y'], rows: [{ cells: ['1', 'two\nlines'], line: 2 }, { cells: ['3', '4'], line: 5 }], openQuote: null });
    expect(writeCsv(['a', 'b "x", y'], [[1, 'two\nlines'], [null, '=1+1']])).toBe('a,"b ""x"", y"\n1,"two\nlines"\n,\'=1+1\n');
    expect(readCsv('a,b\n1,"open', 10).openQuote).toBe(2);
  });
});
