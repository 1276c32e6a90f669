/** What is wrong with a dataset: everything is counted, the first few hundred are listed. */
import { LorikeetError, type ErrorCode, type ErrorPlace } from '../protocol/errors.ts';
import type { DatasetProblem } from '../protocol/messages.ts';

/** As many as the page shows. */
const MAX_LISTED = 200;

export class ProblemList {
  private readonly kept: Record<DatasetProblem['level'], DatasetProblem[]> = { error: [], warning: [] };
  private readonly counts: Record<DatasetProblem['level'], number> = { error: 0, warning: 0 };

  /** Errors before warnings, each in the order of their finding. */
  get listed(): DatasetProblem[] {
    return [...this.kept.error, ...this.kept.warning].slice(0, MAX_LISTED);
  }

  /** Errors and warnings together, listed or not. */
  get count(): number {
    return this.counts.error + this.counts.warning;
  }

  get errorCount(): number {
    return this.counts.error;
  }

  /** A list that goes on from this one. */
  copy(): ProblemList {
    const copy = new ProblemList();
    for (const level of ['error', 'warning'] as const) {
      copy.kept[level].push(...this.kept[level]);
      copy.counts[level] = this.counts[level];
    }
    return copy;
  }

  add(problem: DatasetProblem): void {
    this.counts[problem.level]++;
    if (this.kept[problem.level].length < MAX_LISTED) this.kept[problem.level].push(problem);
  }

  error(message: string, advice: string, place: ErrorPlace = {}, code: ErrorCode = 'dataset'): void {
    this.add(toProblem('error', code, message, advice, place));
  }

  warning(message: string, advice: string, place: ErrorPlace = {}, code: ErrorCode = 'dataset'): void {
    this.add(toProblem('warning', code, message, advice, place));
  }

  /** Takes over a typed error; faults of our own are thrown on. */
  caught(error: unknown, place: ErrorPlace = {}): void {
    if (!(error instanceof LorikeetError)) throw error;
    this.error(error.message, error.advice, { ...error.place, ...place }, error.code);
  }
}

function toProblem(level: DatasetProblem['level'], code: ErrorCode, message: string, advice: string, { file, line, sample, field }: ErrorPlace): DatasetProblem {
  return {
    level,
    code,
    message,
    advice,
    ...(file !== undefined && { file }),
    ...(line !== undefined && { line }),
    ...(typeof sample === 'number' && { sample }),
    ...(field !== undefined && { field }),
  };
}
