/** One tab trains a run: a Web Lock that the browser itself frees when the worker ends, however it ends. */
import { LorikeetError } from '../protocol/errors.ts';

const PREFIX = 'lorikeet-run-';

/**
 * Takes the run's lock for as long as the worker lives or until the returned function is called; that resolves once
 * others can have it.
 * @throws LorikeetError "run-locked" when another tab or worker has it
 */
export async function lockRun(runId: string): Promise<() => Promise<void>> {
  return new Promise((resolve, reject) => {
    const freed: Promise<unknown> = navigator.locks.request(PREFIX + runId, { ifAvailable: true }, (lock) => {
      if (!lock) {
        throw new LorikeetError('run-locked', 'This run is being trained in another tab or window.', 'Go on there, or close that tab and try again here.');
      }
      return new Promise<void>((release) => {
        resolve(async () => {
          release();
          await freed;
        });
      });
    });
    freed.catch(reject);
  });
}

/** Ids of the runs that some tab is training now. */
export async function lockedRuns(): Promise<Set<string>> {
  const { held = [] } = await navigator.locks.query();
  const names = held.map((lock) => lock.name ?? '').filter((name) => name.startsWith(PREFIX));
  return new Set(names.map((name) => name.slice(PREFIX.length)));
}
