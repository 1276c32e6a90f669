/** The figures of a long log, made away from the page's thread. */
import type { DescriptionRequest } from '../../imports/messages.ts';
import type { RunDescription } from '../../reports/description.ts';
import type { PackedRun } from '../../reports/packed-run.ts';
import { askWorker } from '../ask-worker.ts';

/** @throws LorikeetError when its worker ends by itself */
export async function describeInWorker(run: PackedRun): Promise<RunDescription | null> {
  const worker = new Worker(new URL('../../../workers/run-description.worker.ts', import.meta.url), { type: 'module', name: 'run-description' });
  return askWorker<DescriptionRequest, RunDescription>(worker, { kind: 'describe', run }, { what: 'Reading the log', advice: 'Close other pages and open the log again.' });
}
