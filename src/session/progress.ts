/** Progress news, thinned out so that the page is not flooded. */
import type { TrainerEvent } from '../protocol/messages.ts';
import type { Stage } from '../protocol/sayings.ts';

export type ProgressTask = Extract<TrainerEvent, { type: 'progress' }>['task'];
export type Progress = (done: number, total: number) => void;
/** Makes the progress reporter of one task. */
export type ReportProgress = (task: ProgressTask, stage: Stage) => Progress;

const EVERY_MS = 50;

/** At most one event every 50 ms, and always the last one. */
export function progressReporter(publish: (event: TrainerEvent) => void): ReportProgress {
  return (task, stage) => {
    let last = -Infinity;
    return (done, total) => {
      const now = performance.now();
      if (done < total && now - last < EVERY_MS) return;
      last = now;
      publish({ type: 'progress', task, stage, done, total });
    };
  };
}
