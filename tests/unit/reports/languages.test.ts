import { describe, expect, it } from 'vitest';
import { compareRuns, nameRuns } from '../../../src/reports/compare.ts';
import { formatComparison } from '../../../src/reports/comparison-text.ts';
import { htmlReport } from '../../../src/reports/html.ts';
import { metricNames, sharedName } from '../../../src/reports/metrics.ts';
import { reportFiles } from '../../../src/reports/report-files.ts';
import type { RunLog } from '../../../src/reports/run-log.ts';
import { formatStatistics, formatSummary } from '../../../src/reports/summary.ts';
import { drawChart } from '../../../src/reports/svg-chart.ts';
import { displayWidth, formatSeconds, formatSetting, shorten } from '../../../src/reports/text.ts';
import { REPORT_WORDS } from '../../../src/reports/words.ts';
import type { ReportLanguage } from '../../../src/reports/words.ts';
import { parseReportArguments } from '../../../tools/report/options.ts';
import { logPath, makeRun, readRun } from './logs.ts';

const GENERATED = new Date('2026-01-02T03:04:05Z');
const runs = nameRuns(['original-sft/training_log.json', 'synthetic-grpo/training_log.json', 'hf/checkpoint-300/trainer_state.json'].map(readRun));
const single = (language: ReportLanguage) => htmlReport([runs[0]], null, GENERATED, language);
const compared = (language: ReportLanguage) => htmlReport(runs, compareRuns(runs), GENERATED, language);

const CHINESE = /\p{Script=Han}/u;
/** Numbers, steps, dashes: the same in every language. */
const FIGURES = /^[\d.,@ek+\s–-]*$/;

/** Every leaf of a table of words with its path. */
function leaves(node: unknown, path = ''): [string, unknown][] {
  if (typeof node !== 'object' || node === null) return [[path, node]];
  return Object.entries(node).flatMap(([key, value]) => leaves(value, path ? `${path}.${key}` : key));
}

const plain = (text: string) => text.replaceAll('&quot;', '"').replaceAll('&#39;', "'").replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&').trim();

/** What the elements of these names say, inner markup left out. */
const said = (html: string, names: string) =>
  [...html.matchAll(new RegExp(`<(${names})(?: [^>]*)?>(.*?)</\\1>`, 'gs'))].map((match) => plain(match[2].replaceAll(/<[^>]*>/g, ''))).filter((text) => text !== '');

/** Every text that a reader can see or hear: between tags, and in attributes that hold words. */
function texts(html: string): string[] {
  const body = html.slice(html.indexOf('<body>'), html.indexOf('<script'));
  return [...body.replaceAll(/<[^>]*>/g, '\n').split('\n'), ...[...body.matchAll(/(?:title|aria-label)="([^"]*)"/g)].map((match) => match[1])].map(plain).filter((text) => text !== '');
}

/** Names and values that stand in the log itself. */
function namesOf(run: RunLog): string[] {
  const metrics = [...metricNames(run.train), ...metricNames(run.validation)];
  const settings = Object.entries(run.config).flatMap(([key, value]) => [key, formatSetting(value)]);
  return [...metrics, ...metrics.map(sharedName), ...settings, run.name, run.source, run.best?.path ?? ''];
}

describe('the words of the reports', () => {
  const english = leaves(REPORT_WORDS.en);
  const chinese = new Map(leaves(REPORT_WORDS.zh));

  it('are the same ones in both languages, with the same values', () => {
    expect([...chinese.keys()].sort()).toEqual(english.map(([path]) => path).sort());
    for (const [path, value] of english) {
      const other = chinese.get(path);
      expect(typeof other, path).toBe(typeof value);
      if (typeof value !== 'function') continue;
      const marks = Array.from({ length: value.length }, (_, i) => `⟦${i}⟧`);
      for (const sentence of [value, other]) for (const mark of marks) expect((sentence as (...values: string[]) => string)(...marks), path).toContain(mark);
    }
  });

  it('are never empty, never shout, and are Chinese where they should be', () => {
    for (const [path, value] of [...english, ...chinese]) if (typeof value === 'string') expect(value, path).toMatch(/^[^!！]+$/);
    for (const [path, value] of chinese) if (typeof value === 'string' && path !== 'lang' && path !== 'comparison.listed') expect(value, path).toMatch(CHINESE);
  });
});

describe('the HTML report', () => {
  it('names its language', () => {
    expect(single('en')).toContain('<html lang="en">');
    expect(single('zh')).toContain('<html lang="zh-CN">');
  });

  it('keeps its English headings', () => {
    expect(said(single('en'), 'h1|h2|h3|summary')).toEqual(['Training Report', 'original-sft/training_log.json', 'Statistics', 'Curves', 'All 16 settings']);
    expect(said(compared('en'), 'h1|h2|h3').slice(0, 10)).toEqual([
      'Training Comparison Report', 'Configuration Comparison', 'Metrics', 'Best Checkpoints', 'Best Validation Metrics', 'Validation Metrics at the Best Step', 'Final Validation Metrics',
      'Final Training Metrics', 'Training Metrics at the Best Step', 'Training Curves',
    ]);
    expect(single('en')).toContain('<p class="muted">Generated on 2026-01-02 03:04:05 UTC · 1 run</p>');
    expect(texts(compared('en')).filter((text) => CHINESE.test(text))).toEqual([]);
  });

  it('has Chinese headings and cells, but for the names of metrics, settings and runs', () => {
    const own = new Set(runs.flatMap(namesOf));
    for (const html of [single('zh'), compared('zh')]) {
      const heads = said(html, 'h1|h2|h3|th|summary');
      expect(heads.length).toBeGreaterThan(40);
      for (const text of heads) expect(CHINESE.test(text) || own.has(text), text).toBe(true);
      for (const text of texts(html)) expect(CHINESE.test(text) || FIGURES.test(text) || own.has(text), text).toBe(true);
    }
    expect(compared('zh')).toMatch(/<p class="muted">生成于 2026-01-02 03:04:05 UTC · 3 个训练<\/p>/);
    expect(compared('zh')).toContain('<td class="best" title="最佳">');
    expect(single('zh')).toMatch(/<td class="best" title="越低越好">0\.8803/);
  });
});

describe('curves', () => {
  it('say what lines and axes are in the report\'s language', () => {
    const files = new Map(reportFiles([runs[0]], { generated: GENERATED, plots: true, allSettings: false, language: 'zh' }).map(({ path, text }) => [path, text]));
    const svg = files.get('loss_curve.svg')!;
    expect(svg).toContain('lang="zh-CN"');
    expect(svg).toContain('>训练</text>');
    expect(svg).toContain('>验证（eval_loss）</text>');
    expect(svg).toContain('>步</text>');
    expect(svg).toContain('<title>验证（eval_loss），第 20 步：1.1102</title>');
    expect(svg).toContain('<title>最佳，第 40 步：0.9021</title>');
    expect(svg).not.toMatch(/step|training|validation|best/);
    const wide = { label: 'a', colour: '#0072b2', dashed: false, series: { steps: [1, 2], values: [0.01, 100] } };
    expect(drawChart({ title: 'loss', metric: 'loss', standalone: false, lines: [wide], words: REPORT_WORDS.zh })).toContain('aria-label="loss（对数轴）"');
    expect(drawChart({ title: 'loss', metric: 'loss', standalone: false, lines: [wide] })).toContain('aria-label="loss (log scale)"');
  });

  it('change nothing that programs read', () => {
    const data = (language: ReportLanguage) =>
      reportFiles(runs, { generated: GENERATED, plots: false, allSettings: false, language }).filter(({ path }) => /\.(?:csv|json)$/.test(path));
    expect(data('zh').length).toBeGreaterThan(6);
    expect(data('zh')).toEqual(data('en'));
  });
});

describe('text', () => {
  it('of the summary in Chinese, line by line', () => {
    const lines = formatSummary({ ...runs[1], name: 'synthetic', notes: [{ level: 'warning', message: 'x' }, { level: 'info', message: 'y' }] }, 'zh').split('\n');
    expect(lines.slice(1, -1)).toEqual([
      '训练摘要', '='.repeat(80), '训练：synthetic', '日志：GRPO 脚本的 training_log.json', '警告：x', '提示：y', '', '设置：', '  模型：test_model', '  输出：test_output', '  轮数：1', '  批大小：1',
      '  学习率：1.00e-05', '  梯度累积：4', '', '训练记录：3 行', '  最后一步：30', '  最后一轮：1', '  最终 loss：0.6000', '  最终 reward：2.4000', '  最终 kl：0.0300', '  最终 lr：1.00e-05', '',
      '验证记录：1 行', '  最后一次验证的步：30', '  val_reward：2.3000', '  val_format：0.9000', '  val_bbox：0.6000', '  val_category：0.5000', '  val_completeness：0.3000', '', '最佳检查点：',
      '  步：30', '  轮：1', '  val_reward：2.3000', '  val_format：0.9000', '  val_bbox：0.6000', '  val_category：0.5000', '  val_completeness：0.3000', '  路径：test_output/best',
    ]);
    expect(formatSummary(runs[0], 'zh')).toContain('最佳检查点（日志中没有注明；按 eval_loss 找出，越低越好）：');
    expect([12, 200, 3720].map((seconds) => formatSeconds(seconds, REPORT_WORDS.zh.time))).toEqual(['12 秒', '3 分 20 秒', '1 小时 02 分']);
    expect([12, 200, 3720].map((seconds) => formatSeconds(seconds))).toEqual(['12 s', '3 min 20 s', '1 h 02 min']);
  });

  it('of the English comparison, line by line', () => {
    const lines = formatComparison(compareRuns([makeRun('a', [{ step: 2, loss: 3, entropy: 1 }], [{ step: 2, eval_loss: 3 }], { seed: 1 }), makeRun('b', [{ step: 2, loss: 1, entropy: 2 }], [], { seed: 1 })])).split('\n');
    expect(lines.slice(1, -1)).toEqual([
      'Training Comparison', '='.repeat(80), '', 'Configuration: all settings are equal.', '', 'Final Training Metrics', '               a        b', 'loss     3.0000   1.0000*', 'entropy  1.0000   2.0000', '',
      'Final Validation Metrics', '            a   b', 'loss  3.0000   -', '', 'Best Validation Metrics (value @step)', '               a   b', 'loss  3.0000 @2   -', '', 'Best Checkpoints',
      '                           a  b', 'step                       2  -', 'epoch                      -  -', 'chosen by  eval_loss (found)  -', 'value                 3.0000  -', 'path                       -  -', '',
      'Validation Metrics at the Best Step', '            a   b', 'loss  3.0000   -', '', 'Training Metrics at the Best Step', '               a   b', 'loss     3.0000   -', 'entropy  1.0000   -', '',
      '* best of the runs. Not marked, because it is unknown which way is better: entropy.',
    ]);
  });

  it('lines up tables with Chinese words and names', () => {
    const named = runs.map((run, i) => ({ ...run, name: ['基线', '学习率减半的训练', 'b'][i] }));
    const lines = formatComparison(compareRuns(named), false, 'zh').split('\n');
    const first = lines.indexOf('最佳检查点') + 1;
    const table = lines.slice(first, lines.indexOf('', first));
    expect(table).toHaveLength(6);
    expect(table[3]).toContain('eval_loss（由验证找出）');
    expect(new Set(table.map(displayWidth)).size).toBe(1);
    const head = formatStatistics(runs[0], 'zh').split('\n').slice(0, 2);
    expect(head.map((line) => displayWidth(line.slice(0, line.search(/来源|训练/))))).toEqual([15, 15]);
  });

  it('cuts by columns, not by characters', () => {
    expect(displayWidth('𠮷a')).toBe(3);
    expect(shorten('学习率减半的训练', 9)).toBe('学习…训练');
    expect(shorten('学习率减半的训练', 10)).toBe('学习…训练');
    expect(shorten('学习率减半的训练', 16)).toBe('学习率减半的训练');
  });
});

describe('--lang', () => {
  it('is English when left out, and nothing else than en or zh', () => {
    const log = logPath('synthetic-grpo');
    expect(parseReportArguments([log])?.language).toBe('en');
    expect(parseReportArguments([log, '--lang', 'zh'])?.language).toBe('zh');
    for (const other of ['fr', '', 'ZH', 'toString']) expect(() => parseReportArguments([log, '--lang', other])).toThrow(`--lang must be en or zh, got "${other}"`);
    expect(() => parseReportArguments([log, '--lang'])).toThrow();
  });
});
