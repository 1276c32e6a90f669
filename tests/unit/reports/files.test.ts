import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { onDark, runColour, TRAIN_COLOUR, VALIDATION_COLOUR } from '../../../src/reports/colours.ts';
import { nameRuns } from '../../../src/reports/compare.ts';
import { escapeMarkup, fileName } from '../../../src/reports/markup.ts';
import { readLog } from '../../../src/reports/read-log.ts';
import { reportFiles } from '../../../src/reports/report-files.ts';
import { runJson } from '../../../src/reports/run-json.ts';
import type { RunLog } from '../../../src/reports/run-log.ts';
import { drawChart } from '../../../src/reports/svg-chart.ts';
import { findLog, parseReportArguments } from '../../../tools/report/options.ts';
import { logPath, makeRun, readRun } from './logs.ts';

const OPTIONS = { generated: new Date('2026-01-02T03:04:05Z'), plots: true, allSettings: false, language: 'en' as const };
const report = (...runs: RunLog[]) => new Map(reportFiles(nameRuns(runs), OPTIONS).map((file) => [file.path, file.text]));

describe('charts', () => {
  const line = { label: 'training', colour: TRAIN_COLOUR, dashed: false };

  it('draws training solid in blue and validation dashed with dots in vermilion', () => {
    const svg = report(readRun('original-sft/training_log.json')).get('loss_curve.svg')!;
    expect([TRAIN_COLOUR, VALIDATION_COLOUR]).toEqual(['#0072b2', '#d55e00']);
    expect(svg).toMatch(/<path class="line" [^>]*stroke="#0072b2"/);
    expect(svg).toMatch(/<path class="line dashed" [^>]*stroke="#d55e00"[^>]*stroke-dasharray/);
    expect(svg.match(/<circle class="dot"[^>]*><title>validation \(eval_loss\), step \d+: [\d.]+</g)).toEqual([
      expect.stringContaining('step 20: 1.1102'), expect.stringContaining('step 40: 0.9021'),
    ]);
  });

  it('breaks the line at a gap and draws a lonely point', () => {
    const svg = drawChart({ title: 't', metric: 'x', standalone: true, lines: [{ ...line, series: { steps: [0, 1, 2, 3, 4], values: [1, 2, null, 3, null] } }] });
    const path = /stroke-linecap="round" [^>]*d="([^"]+)"/.exec(svg)![1];
    expect(path.match(/M/g)).toHaveLength(2);
    expect(path.endsWith('h0')).toBe(true);
  });

  it('puts the ends of the x axis at the first and last step', () => {
    const svg = drawChart({ title: 't', metric: 'x', standalone: false, log: false, lines: [{ ...line, series: { steps: [10, 20], values: [0, 1] } }] });
    expect(svg).toMatch(/d="M66 [\d.]+L784 [\d.]+"/);
    expect(svg).not.toContain('<style>');
  });

  it('draws empty, constant and very long series', () => {
    const draw = (steps: number[], values: (number | null)[]) => drawChart({ title: 't', metric: 'loss', standalone: true, lines: [{ ...line, series: { steps, values } }] });
    for (const svg of [draw([], []), draw([5], [1]), draw([1, 2], [0, 0]), draw([1], [null])]) expect(svg).not.toMatch(/NaN|Infinity|undefined/);
    const steps = Array.from({ length: 100_000 }, (_, i) => i);
    expect(draw(steps, steps.map(Math.sqrt)).length).toBeLessThan(60_000);
  });

  it('has a colour of its own for each of many runs', () => {
    const colours = Array.from({ length: 32 }, (_, i) => runColour(i));
    expect(new Set(colours).size).toBe(32);
    expect([...colours, ...colours.map(onDark)].every((colour) => /^#[0-9a-f]{6}$/.test(colour))).toBe(true);
  });
});

describe('files', () => {
  it('of one run', () => {
    const files = report(readRun('synthetic-grpo/training_log.json'));
    expect([...files.keys()]).toEqual([
      'summary.txt', 'train_history.csv', 'val_history.csv', 'run.json', 'loss_curve.svg', 'reward_curve.svg', 'kl_curve.svg', 'lr_curve.svg', 'format_curve.svg', 'bbox_curve.svg',
      'category_curve.svg', 'completeness_curve.svg', 'report.html',
    ]);
    expect(files.get('train_history.csv')).toBe('step,epoch,samples,loss,reward,kl,lr\n10,1,40,0.8,2,0.01,0.00001\n20,1,80,0.7,2.2,0.02,0.00001\n30,1,120,0.6,2.4,0.03,0.00001\n');
    expect(files.get('val_history.csv')).toBe('step,epoch,samples,val_reward,val_format,val_bbox,val_category,val_completeness\n30,1,120,2.3,0.9,0.6,0.5,0.3\n');
  });

  it('of several runs, each in a folder of its own', () => {
    const runs = ['one', 'two'].map((parent) => ({ ...readRun('synthetic-grpo/training_log.json'), name: `${parent}/grpo` }));
    const files = [...report(...runs).keys()];
    expect(files).toEqual(expect.arrayContaining(['report.html', 'comparison.txt', 'comparison.csv', 'plots/comparison_reward.svg', 'plots/comparison_learning_rate.svg', 'one_grpo/summary.txt', 'two_grpo/loss_curve.svg']));
    expect(new Set(files).size).toBe(files.length);
  });

  it('run.json opens again as the same run', () => {
    for (const name of ['original-dpo/training_log.json', 'lorikeet/training_log.json', 'hostile.json']) {
      const run = readRun(name);
      const [again] = readLog(runJson(run), name);
      expect(again.train).toEqual(run.train);
      expect(again.validation).toEqual(run.validation);
      expect(again.dialect).toBe(run.dialect);
      expect(again.best).toEqual(run.best);
    }
  });

  it('names files safely', () => {
    const taken = new Set<string>();
    expect(['rewards/accuracies', 'rewards accuracies', '../../etc/passwd', '<script>', '...', 'LOSS', 'loss', '损失', 'x'.repeat(300)].map((name) => fileName(name, taken))).toEqual([
      'rewards_accuracies', 'rewards_accuracies-2', 'etc_passwd', 'script_', 'unnamed', 'LOSS', 'loss-2', '损失', 'x'.repeat(80),
    ]);
  });

  it('marks the better run in the HTML report', () => {
    const rows = (loss: number) => [{ step: 1, eval_loss: loss }];
    const html = report(makeRun('a', [{ step: 1, loss: 1 }], rows(2), { learning_rate: 1e-5 }), makeRun('b', [{ step: 1, loss: 1 }], rows(0.5), { learning_rate: 2e-5 })).get('report.html')!;
    expect(html).toContain('<td class="best" title="best">0.5000');
    expect(html).toContain('Generated on 2026-01-02 03:04:05 UTC');
    expect(html).toMatch(/learning_rate<\/th><td>1e-05<\/td><td>2e-05<\/td>/);
  });

  it('HTML loads nothing, runs nothing and escapes everything', () => {
    const hostile = readRun('hostile.json');
    const html = report({ ...hostile, name: '"><img src=x onerror=alert(1)>' }, readRun('synthetic-grpo/training_log.json')).get('report.html')!;
    expect(html).toContain("default-src 'none'");
    expect(html).toContain('&lt;script&gt;alert(1)&lt;/script&gt;');
    const markup = [...html.matchAll(/<[^>]*>/g)].map((match) => match[0].replace(/(?:aria-label|title|content|alt)="[^"]*"/g, '')).join('\n');
    expect(markup).not.toMatch(/\ssrc=|\shref=|\son\w+=/i);
    expect(html).not.toMatch(/url\(|@import/i);
    const tags = new Set([...html.matchAll(/<([a-z!][a-z0-9]*)/gi)].map((match) => match[1].toLowerCase()));
    // Data, which no browser runs.
    expect(html.match(/<script[^>]*>/g)).toEqual(['<script type="application/json" id="lorikeet-runs">']);
    expect([...tags].sort()).toEqual([
      '!doctype', 'body', 'circle', 'details', 'div', 'figure', 'h1', 'h2', 'h3', 'head', 'html', 'line', 'main', 'meta', 'p', 'path', 'script', 'section', 'span', 'style', 'summary', 'svg',
      'table', 'tbody', 'td', 'text', 'th', 'thead', 'title', 'tr',
    ]);
    expect(escapeMarkup('a&b<c>"\'\u0000\ud800')).toBe('a&amp;b&lt;c&gt;&quot;&#39;\ufffd\ufffd');
  });
});

describe('the command', () => {
  let folder: string;
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'lorikeet-report-'))));
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const root = fileURLToPath(new URL('../../..', import.meta.url));
  const run = (...argv: string[]) => {
    const done = spawnSync(process.execPath, ['--import', 'tsx', 'tools/report/run.ts', ...argv], { cwd: root, encoding: 'utf8' });
    return { code: done.status, out: done.stdout, err: done.stderr };
  };

  it('finds the log of a folder, and names the run by it', () => {
    expect(findLog(logPath('synthetic-grpo'))).toMatchObject({ path: logPath('synthetic-grpo/training_log.json'), named: logPath('synthetic-grpo') });
    expect(findLog(logPath('hf'))).toMatchObject({ path: logPath('hf/checkpoint-300/trainer_state.json'), named: logPath('hf') });
    expect(findLog(logPath('trackio.csv')).named).toBe(logPath('trackio'));
    expect(() => findLog(folder)).toThrow('holds no training log');
    expect(() => findLog(join(folder, 'none'))).toThrow('There is no file or folder');
  });

  it('refuses wrong usage', () => {
    expect(() => parseReportArguments([])).toThrow('Name at least one log');
    expect(() => parseReportArguments([logPath('synthetic-grpo'), '--png'])).toThrow('--png writes files');
    expect(parseReportArguments(['--help'])).toBeUndefined();
  });

  it('prints summary and comparison, writes the report, and ends with 0', () => {
    for (const name of ['one', 'two']) cpSync(logPath('synthetic-grpo'), join(folder, name, 'grpo'), { recursive: true });
    const out = join(folder, 'report');
    const { code, out: printed, err } = run(join(folder, 'one/grpo'), join(folder, 'two/grpo'), '--out', out);
    expect(err).toBe('');
    expect(code).toBe(0);
    expect(printed).toContain('Training Summary');
    expect(printed).toContain('Final reward: 2.4000');
    expect(printed).toMatch(/one\/grpo +two\/grpo/);
    expect(readdirSync(out).sort()).toEqual(['comparison.csv', 'comparison.txt', 'one_grpo', 'plots', 'report.html', 'two_grpo']);
    expect(readFileSync(join(out, 'report.html'), 'utf8')).toContain('Training Comparison Report');
  }, 30_000);

  it('prints and writes Chinese when asked to', () => {
    const { code, out: printed } = run(logPath('synthetic-grpo'), '--statistics', '--lang', 'zh', '--out', join(folder, 'report'));
    expect(code).toBe(0);
    expect(printed).toMatch(/训练摘要[^]*指标 +来源[^]*13 个文件/);
    expect(readFileSync(join(folder, 'report/report.html'), 'utf8')).toContain('<html lang="zh-CN">');
    expect(readFileSync(join(folder, 'report/summary.txt'), 'utf8')).toContain('最终 reward：2.4000');
  }, 30_000);

  it('ends with 1 for a log that cannot be read and still reports the others, with 2 for wrong usage', () => {
    mkdirSync(join(folder, 'bad'));
    writeFileSync(join(folder, 'bad', 'training_log.json'), '{"a"');
    const mixed = run(join(folder, 'bad'), logPath('synthetic-grpo'));
    expect(mixed.code).toBe(1);
    expect(mixed.err).toContain('breaks off before its first history');
    expect(mixed.err).not.toContain('    at ');
    expect(mixed.out).toContain('Final reward: 2.4000');
    const wrong = run('--nonsense');
    expect(wrong.code).toBe(2);
    expect(existsSync(join(folder, 'report'))).toBe(false);
  }, 30_000);
});
