/** Logs that came back from PyTorch (two processes, five steps after the page's) against the page's own, which went on itself. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { TrainingLog } from '../../../src/protocol/log.ts';
import { readLog } from '../../../src/reports/read-log.ts';
import { parseExportedLog } from '../../../src/storage/exported-log.ts';

const text = (name: string) => readFileSync(join(import.meta.dirname, '../../fixtures/handoff', name), 'utf8');
const returned = text('returned.json');

describe('a log that came back', () => {
  it('opens as one run with one curve', () => {
    const runs = readLog(returned, 'training_log.json');
    expect(runs).toHaveLength(1);
    const [run] = runs;
    expect(run.dialect).toBe('lorikeet');
    expect(run.train.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(run.notes.map(({ message }) => message).join('\n')).toMatch(/Went on in PyTorch .* from step 5, 2 processes/);
    expect(run.notes.filter(({ level }) => level === 'warning')).toEqual([]);
  });

  it.each([
    ['SFT', '', 5],
    ['SFT on NF4', '-nf4', 1],
    ['DPO', '-dpo', 1],
  ])('%s: has the page’s rows up to where it stopped, and its losses in the five steps after it', (_, which, stop) => {
    const own = JSON.parse(text(`page${which}.json`)) as TrainingLog;
    const log = parseExportedLog(text(`returned${which}.json`), 'training_log.json');
    expect(log.train_history).toHaveLength(stop + 5);
    for (const [i, row] of log.train_history.entries()) {
      const mine = own.train_history[i];
      if (row.step <= stop) expect(row.loss).toBe(mine.loss);
      else expect(Math.abs(row.loss - mine.loss), `step ${row.step}`).toBeLessThan(1e-5);
      for (const key of ['step', 'epoch', 'learning_rate', 'num_tokens', 'samples'] as const) expect(row[key], `${key} of step ${row.step}`).toBe(mine[key]);
    }
  });

  it('counts time on and says where it ended', () => {
    const log = parseExportedLog(returned, 'training_log.json');
    const elapsed = log.train_history.map(({ elapsed_s }) => elapsed_s);
    expect(elapsed).toEqual([...elapsed].sort((a, b) => a - b));
    expect(log.final_metrics).toMatchObject({ step: 10 });
  });
});
