/** The figures of a long log, made away from the page's thread. */
import type { DescriptionRequest } from '../../imports/messages.ts';
import { LorikeetError } from '../../protocol/errors.ts';
import type { RunDescription } from '../../reports/description.ts';
import type { PackedRun } from '../../reports/packed-run.ts';
import { askWorker } from '../ask-worker.ts';

/**
 * Has a log described. Its worker reads it from storage: copying a long one would hold the page up.
 * @param run used where the log could not be kept
 * @throws LorikeetError when the worker ends by itself
 */
export async function describeInWorker(id: string, run: PackedRun): Promise<RunDescription | null> {
  try {
    return await ask({ kind: 'describe', id, run: null });
  } catch (error) {
    if (error instanceof LorikeetError && error.code === 'file-missing') return ask({ kind: 'describe', id, run });
    throw error;
  }
}

function ask(request: DescriptionRequest): Promise<RunDescription | null> {
  const worker = new Worker(new URL('../../../workers/run-description.worker.ts', import.meta.url), { type: 'module', name: 'run-description' });
  return askWorker<DescriptionRequest, RunDescription>(worker, request, { what: 'Reading the log', advice: 'Close other pages and open the log again.' });
}
