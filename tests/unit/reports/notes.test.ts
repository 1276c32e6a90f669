import { describe, expect, it } from 'vitest';
import { englishSayings, say } from '../../../src/protocol/sayings.ts';
import { htmlReport } from '../../../src/reports/html.ts';
import { notesEn } from '../../../src/reports/notes-en.ts';
import type { Notes } from '../../../src/reports/notes-en.ts';
import { notesZh } from '../../../src/reports/notes-zh.ts';
import { inWords, noteText } from '../../../src/reports/notes.ts';
import type { Said } from '../../../src/reports/notes.ts';
import { packRun, unpackRun } from '../../../src/reports/packed-run.ts';
import { readLog } from '../../../src/reports/read-log.ts';
import { runJson } from '../../../src/reports/run-json.ts';
import type { RunLog } from '../../../src/reports/run-log.ts';
import { formatSummary } from '../../../src/reports/summary.ts';
import { readRun, readRuns } from './logs.ts';

const CHINESE = /\p{Script=Han}/u;
const chinese = (run: RunLog) => run.notes.map((note) => noteText(note, 'zh'));

/** A training_log.json with these notices. */
const withNotices = (...notices: unknown[]) => readLog(JSON.stringify({ train_history: [{ step: 1, loss: 1 }], notices }), 'a.json')[0];

describe('sentences about a log', () => {
  it('use the same values in both languages, none in vain', () => {
    for (const key of Object.keys(notesEn) as (keyof Notes)[]) {
      const asked = [notesEn, notesZh].map((notes) => {
        const names = new Set<string>();
        const values = new Proxy({}, { get: (_, name) => (names.add(String(name)), `⟦${String(name)}⟧`) });
        const text = (notes[key] as (given: unknown) => string)(values);
        for (const name of names) expect(text, key).toContain(`⟦${name}⟧`);
        expect(text).not.toMatch(/[!！]/);
        return [...names].sort();
      });
      expect(asked[1], key).toEqual(asked[0]);
      expect(CHINESE.test((notesZh[key] as (given: unknown) => string)({})), key).toBe(true);
    }
  });

  it('and those of the trainer have no key in common', () => {
    expect(Object.keys(notesEn).filter((key) => Object.hasOwn(englishSayings, key))).toEqual([]);
  });
});

describe('notes in Chinese', () => {
  it('say what a damaged log lacks, and where', () => {
    expect(chinese(readRun('not-finite.json'))).toEqual([
      '有的数写成了文本，已按数读取：共 1 次（首次：train_history 第 4 行）。',
      'loss 有 1 次不是有限的数（曲线中为缺口；首次：train_history 第 2 行）。',
      'grad_norm 有 2 次不是有限的数（曲线中为缺口；首次：train_history 第 2 行）。',
    ]);
    expect(chinese(readRun('truncated.json'))[0]).toBe('JSON 在第 28 行、第 417 字节处中断：从此处开始的数被截断或有误。显示其前的内容。');
    expect(chinese(readRun('llama-factory/trainer_log.jsonl'))).toEqual(['有的行只记录进度，没有指标：共 1 次（首次：第 6 行）。']);
    expect(chinese(readRuns('wandb-chart.csv')[1])[0]).toBe('略去了 4 列分组训练的最小值与最大值。');
    const [csv] = readLog('step,loss,loss\n5,1,2\n3,1,2\n', 'a.csv');
    expect(chinese(csv)).toEqual(['列“loss”出现了两次；同名的以最后一列为准。', '步数倒退（是否为续训？）；图表与统计按步数排序：共 1 次（首次：训练行，从 5 到 3）。']);
  });

  it('repeat the trainer\'s notices in its Chinese', () => {
    const { key, values, message } = say('resumed', { step: 7 });
    const run = withNotices({ step: 7, level: 'info', key, values, message, time: '' });
    expect(run.notes.map(({ message: english }) => english)).toEqual(['Step 7: Resumed after step 7.']);
    expect(chinese(run)).toEqual(['第 7 步：已从第 7 步之后继续。']);
  });

  it('keep the words of a notice whose key or values do not make them', () => {
    const message = 'Resumed after step 7.';
    for (const forged of [{ key: 'resumed' }, { key: 'resumed', values: { step: 8 } }, { key: 'resumed', values: null }, { key: 'toString', values: { step: 7 } }, { key: 'row' }, { key: 3 }, {}]) {
      expect(chinese(withNotices({ step: 7, level: 'info', message, ...forged })), JSON.stringify(forged)).toEqual([`第 7 步：${message}`]);
    }
  });

  it('stand in summary, HTML report and stored runs, and leave run.json as it was', () => {
    const run = readRun('truncated.json');
    expect(formatSummary(run, 'zh')).toContain('警告：JSON 在第 28 行');
    expect(htmlReport([run], null, new Date(0), 'zh')).toContain('<p class="note">JSON 在第 28 行');
    expect(htmlReport([run], null, new Date(0), 'en')).toContain('<p class="note">The JSON breaks off in line 28');
    expect(chinese(unpackRun(structuredClone(packRun(run))))).toEqual(chinese(run));
    const { source } = JSON.parse(runJson(run)) as { source: { notes: object[] } };
    expect(Object.keys(source.notes[0])).toEqual(['level', 'message', 'line', 'byte']);
  });

  it('stay English where a stored log has no key, or one of another version', () => {
    const unknown = { key: 'counted', values: { fault: { key: 'noSuchFault', values: {} }, times: 1, first: 'x' } } as unknown as Said;
    expect(noteText({ level: 'info', message: 'As stored.' }, 'zh')).toBe('As stored.');
    expect(noteText({ level: 'info', message: 'As stored.', said: unknown }, 'zh')).toBe('As stored.');
    expect(() => inWords(unknown, 'zh')).toThrow();
  });
});
