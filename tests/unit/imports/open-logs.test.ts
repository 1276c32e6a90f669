import { readFileSync } from 'node:fs';
import { zipSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import { findLogs } from '../../../src/imports/find-logs.ts';
import type { OpenedRun } from '../../../src/imports/messages.ts';
import { openLogs } from '../../../src/imports/open-logs.ts';
import type { LorikeetError } from '../../../src/protocol/errors.ts';
import { compareRuns } from '../../../src/reports/compare.ts';
import { htmlReport } from '../../../src/reports/html.ts';
import { packRun, unpackRun } from '../../../src/reports/packed-run.ts';
import type { LogNote, RunLog } from '../../../src/reports/run-log.ts';
import { logPath, readRun } from '../reports/logs.ts';

const fixture = (name: string) => new Blob([readFileSync(logPath(name))]);

async function open(files: { path: string; file: Blob }[], chosen = ''): Promise<{ runs: OpenedRun[]; faults: LorikeetError[] }> {
  const runs: OpenedRun[] = [];
  const faults: LorikeetError[] = [];
  await openLogs(files, chosen, { run: (opened) => runs.push(opened), fault: (error) => faults.push(error) });
  return { runs, faults };
}

describe('a packed run', () => {
  it.each(['lorikeet/training_log.json', 'ms-swift/logging.jsonl', 'hostile.json', 'not-finite.json', 'original-grpo/training_log.json'])('%s comes out as it went in', (name) => {
    const run = readRun(name);
    const copy = unpackRun(structuredClone(packRun(run)));
    expect(copy.train.map((row) => Object.entries(row).sort())).toEqual(run.train.map((row) => Object.entries(row).sort()));
    expect(copy.validation.map((row) => Object.entries(row).sort())).toEqual(run.validation.map((row) => Object.entries(row).sort()));
    for (const row of copy.train) expect(row instanceof Object).toBe(false);
  });
});

describe('the logs among files', () => {
  const found = (paths: string[], chosen = '') => findLogs(paths.map((path) => ({ path, file: path })), chosen).map(({ path, named, passedOver }) => [path, named, passedOver.length]);

  it('are one per run folder: the run’s own before its checkpoints', () => {
    expect(found(['a/checkpoint-10/trainer_state.json', 'a/checkpoint-200/trainer_state.json', 'a/config.json', 'b/trainer_state.json', 'b/checkpoint-5/trainer_state.json', 'b/trainer_log.jsonl'])).toEqual([
      ['a/checkpoint-200/trainer_state.json', 'a', 1],
      ['b/trainer_state.json', 'b', 2],
    ]);
  });

  it('are all of those that were chosen one by one', () => {
    expect(found(['training_log.json', 'trainer_state.json', 'training_log.json'], 'training_log.json').map(([path]) => path)).toEqual(['training_log.json', 'trainer_state.json', 'training_log.json']);
  });

  it('are tables and files of any name too, when chosen one by one', () => {
    expect(found(['a.json', 'b.csv', 'c/training_log.json'], 'a.json').map(([path]) => path)).toEqual(['c/training_log.json', 'a.json', 'b.csv']);
  });

  it('take along the answers that lie beside them', () => {
    const files = ['training_log.json', 'val_predictions.jsonl'].map((path) => ({ path, file: path }));
    expect(findLogs(files, 'training_log.json').map(({ predictions }) => predictions)).toEqual(['val_predictions.jsonl']);
    expect(findLogs(files, 'a folder').map(({ predictions }) => predictions)).toEqual(['val_predictions.jsonl']);
  });

  it('are named by the folder that was chosen, or by themselves', () => {
    expect(found(['training_log.json', 'sft_config.json'], 'my run')).toEqual([['training_log.json', 'my run', 0]]);
    expect(found(['training_log.json'], 'training_log.json')).toEqual([['training_log.json', 'training_log.json', 0]]);
    expect(found(['renamed.json'], 'renamed.json')).toEqual([['renamed.json', 'renamed', 0]]);
    expect(found(['x/run.csv', 'x/training_log.json'])).toEqual([['x/training_log.json', 'x', 0], ['x/run.csv', 'x/run', 0]]);
  });
});

describe('opening', () => {
  it('reads a ZIP of a run with its answers', async () => {
    const log = new Uint8Array(readFileSync(logPath('lorikeet/training_log.json')));
    const line = new TextEncoder().encode('{"step": 3, "index": 0, "id": "a", "prompt": "p", "truth": "t", "answer": "u"}\n');
    const archive = new Blob([zipSync({ 'training_log.json': log, 'val_predictions.jsonl': line, 'sft_config.json': new TextEncoder().encode('{}') })]);
    const { runs, faults } = await open([{ path: 'run-7.zip', file: archive }], 'run-7.zip');
    expect(faults).toEqual([]);
    expect(runs.map(({ run, predictions, lastStep }) => [run.name, run.dialect, predictions?.length, lastStep])).toEqual([['run-7', 'lorikeet', line.length, 3]]);
  });

  it('reads one run from the whole of an exported one, as ZIP or as folder', async () => {
    const encode = (text: string) => new TextEncoder().encode(text);
    const log = new Uint8Array(readFileSync(logPath('lorikeet/training_log.json')));
    const line = encode('{"step": 3, "index": 0, "id": "a", "prompt": "p", "truth": "t", "answer": "u"}\n');
    const run = {
      'lorikeet_run.json': encode('{"format": 2}'),
      'training_log.json': log,
      'grpo_config.json': encode('{}'),
      'best/adapter_config.json': encode('{}'),
      'checkpoint-3/trainer_state.json': encode('{"global_step": 3}'),
      'val_predictions.jsonl': line,
      'val_answers.jsonl': encode('{"index": 0}\n'),
      'completions/completions_00003.jsonl': encode('{"step": 3, "group": 0}\n'),
      'pictures/answer-0.png': encode('\x89PNG'),
      'pictures/sample-4.jpg': encode('\xff\xd8'),
    };
    const folder = Object.entries(run).map(([path, bytes]) => ({ path, file: new Blob([bytes as Uint8Array<ArrayBuffer>]) }));
    for (const files of [[{ path: 'run-8.zip', file: new Blob([zipSync(run) as Uint8Array<ArrayBuffer>]) }], folder]) {
      const { runs, faults } = await open(files, files.length === 1 ? 'run-8.zip' : 'run-8');
      expect(faults).toEqual([]);
      expect(runs.map(({ run, predictions }) => [run.name, run.dialect, predictions?.length])).toEqual([['run-8', 'lorikeet', line.length]]);
    }
  });

  it('reads what can be read and names the rest', async () => {
    const { runs, faults } = await open([
      { path: 'original-sft/training_log.json', file: fixture('original-sft/training_log.json') },
      { path: 'bad/training_log.json', file: new Blob(['{"a": 1}']) },
      { path: 'wandb.csv', file: fixture('wandb-chart.csv') },
    ]);
    expect(runs.map(({ run }) => run.name)).toContain('original-sft');
    expect(runs.length).toBe(3);
    expect(faults.map(({ code, place }) => [code, place.file])).toEqual([['file-corrupt', 'bad/training_log.json']]);
  });

  it('says so when there is no log, and refuses a file beyond the limit without reading it', async () => {
    expect((await open([{ path: 'photo.png', file: new Blob(['x']) }], 'photo.png')).faults[0].code).toBe('file-missing');
    const huge = { size: 2 * 2 ** 30, text: () => Promise.reject(new Error('read')) } as unknown as Blob;
    expect((await open([{ path: 'training_log.json', file: huge }])).faults[0].code).toBe('file-too-large');
  });
});

describe('an HTML report', () => {
  const NAMES = ['lorikeet/training_log.json', 'ms-swift/logging.jsonl', 'hostile.json', 'original-grpo/training_log.json'];
  const page = (runs: RunLog[], language: 'en' | 'zh' = 'en') => htmlReport(runs, runs.length > 1 ? compareRuns(runs) : null, new Date(0), language);
  const openPage = (text: string, path = 'report.html') => open([{ path, file: new Blob([text]) }], path);
  const rows = (list: RunLog['train']) => list.map((row) => Object.entries(row).sort());

  it.each(NAMES)('of %s opens as the run that it shows', async (name) => {
    const run = readRun(name);
    const { runs, faults } = await openPage(page([run], 'zh'));
    expect(faults).toEqual([]);
    const again = unpackRun(runs[0].run);
    for (const key of ['name', 'source', 'dialect', 'best', 'notes'] as const) expect(again[key], key).toEqual(run[key]);
    for (const key of ['config', 'finalMetrics', 'environment'] as const) expect({ ...again[key] }, key).toEqual({ ...run[key] });
    expect(rows(again.train)).toEqual(rows(run.train));
    expect(rows(again.validation)).toEqual(rows(run.validation));
  });

  it('of several runs opens as all of them, whatever they are called', async () => {
    const named = NAMES.map((name, i) => ({ ...readRun(name), name: `${i} </script><script>alert(1)</script>` }));
    const text = page(named);
    expect(text.match(/<script/g)).toHaveLength(1);
    const { runs } = await openPage(text);
    expect(runs.map(({ run }) => run.name)).toEqual(named.map(({ name }) => name));
  });

  it('is left aside where its log lies with it', async () => {
    const { runs } = await open([{ path: 'out/report.html', file: new Blob([page([readRun(NAMES[0])])]) }, { path: 'out/training_log.json', file: fixture(NAMES[0]) }], 'out');
    expect(runs.map(({ run }) => run.name)).toEqual(['out']);
  });

  it.each([
    ['<p>a page</p>', /no report/],
    [page([readRun(NAMES[0])]).slice(0, -2000), /damaged/],
    [page([readRun(NAMES[0])]).replace('"version":1', '"version":2'), /damaged: version/],
    [page([readRun(NAMES[0])]).replace('"dialect":"lorikeet"', '"dialect":"lark"'), /damaged: runs\.0\.dialect/],
    [page([readRun(NAMES[0])]).replace('"train_history":[', '"train_history":7,"x":['), /train_history has the wrong type/],
  ])('that is none, or is spoilt, says so (%#)', async (text, message) => {
    const { runs, faults } = await openPage(text);
    expect(runs).toEqual([]);
    expect(faults.map((fault) => [fault.code, fault.message])).toEqual([['file-corrupt', expect.stringMatching(message)]]);
  });

  it('with notes that another program wrote shows their words, and no others', async () => {
    const run = readRun(NAMES[0]);
    const said = { key: 'noF16', values: {} } as unknown as LogNote['said'];
    const { runs } = await openPage(page([{ ...run, notes: [{ level: 'warning', message: 'all is lost', said }] }]));
    expect(runs[0].run.notes).toEqual([{ level: 'warning', message: 'all is lost' }]);
  });
});

describe('curves that TensorBoard downloaded one by one', () => {
  const csv = (rows: string) => new Blob([`Wall time,Step,Value\n${rows}\n`]);

  it('are one run for each run in their names, with the rows of all by step', async () => {
    const files = [
      { path: 'tb/run-a-tag-train_loss.csv', file: csv('1,10,2\n2,20,1.5') },
      { path: 'tb/run-a-tag-train_grad_norm.csv', file: csv('1,20,0.5\n2,30,0.4') },
      { path: 'tb/run-a-tag-eval_loss.csv', file: csv('2,20,1.7') },
      { path: 'tb/run-b-tag-train_loss.csv', file: csv('1,10,3') },
    ];
    const { runs, faults } = await open(files, 'tb');
    expect(faults).toEqual([]);
    const [a, b] = runs.map(({ run }) => unpackRun(run));
    expect([a.name, b.train.map((row) => ({ ...row }))]).toEqual(['tb/a', [{ step: 10, loss: 3 }]]);
    expect(a.train.map((row) => ({ ...row }))).toEqual([{ step: 10, loss: 2 }, { step: 20, loss: 1.5, grad_norm: 0.5 }, { step: 30, grad_norm: 0.4 }]);
    expect(a.validation.map((row) => ({ ...row }))).toEqual([{ step: 20, eval_loss: 1.7 }]);
    expect(runs[0]).toMatchObject({ lastStep: 30, lastLoss: 1.5 });
  });

  it('of the folder itself are named by it', async () => {
    const { runs } = await open([{ path: 'logs/run-.-tag-train_loss.csv', file: csv('1,10,2') }, { path: 'logs/run-.-tag-eval_loss.csv', file: csv('1,10,2') }], 'logs');
    expect(runs.map(({ run }) => unpackRun(run).name)).toEqual(['logs']);
  });
});
