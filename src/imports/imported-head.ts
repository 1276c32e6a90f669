/** An opened log in short. */
import type { LogDialect } from '../reports/run-log.ts';
import type { OpenedRun } from './messages.ts';

/** What a list shows without reading the log. */
export interface ImportedHead {
  /** Begins with "log-". */
  id: string;
  name: string;
  source: string;
  dialect: LogDialect;
  /** ISO 8601. */
  importedAt: string;
  /** Bytes of the file. */
  bytes: number;
  trainRows: number;
  validationRows: number;
  lastStep: number | null;
  lastLoss: number | null;
  best: { metric: string; value: number; step: number } | null;
  warnings: number;
  hasAnswers: boolean;
  /** Set while the log lies in the bin. */
  deletedAt: string | null;
}

/** The head under which a log that was just opened is kept. */
export function importedHead({ run, bytes, predictions, lastStep, lastLoss, best }: OpenedRun): ImportedHead {
  return {
    id: `log-${crypto.randomUUID()}`,
    name: run.name,
    source: run.source,
    dialect: run.dialect,
    importedAt: new Date().toISOString(),
    bytes,
    trainRows: run.train.length,
    validationRows: run.validation.length,
    lastStep,
    lastLoss,
    best,
    warnings: run.notes.filter(({ level }) => level === 'warning').length,
    hasAnswers: predictions !== null,
    deletedAt: null,
  };
}
