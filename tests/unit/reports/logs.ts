/** The example logs, read as a user would. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { readLog } from '../../../src/reports/read-log.ts';
import type { LogRow, RunLog } from '../../../src/reports/run-log.ts';

export function logPath(name: string): string {
  return fileURLToPath(new URL(`../../fixtures/logs/${name}`, import.meta.url));
}

export function readRuns(name: string): RunLog[] {
  return readLog(readFileSync(logPath(name), 'utf8'), name);
}

export function readRun(name: string): RunLog {
  return readRuns(name)[0];
}

/** A run made of rows alone. */
export function makeRun(name: string, train: readonly LogRow[], validation: readonly LogRow[] = [], config: Record<string, unknown> = {}): RunLog {
  return { name, source: name, dialect: 'csv', config, train, validation, best: null, finalMetrics: {}, environment: {}, notes: [] };
}
