/** One tab trains a run or writes a model: Web Locks that the browser itself frees when the worker ends, however it ends. */
import { LorikeetError } from '../protocol/errors.ts';

const OURS = 'lorikeet-';
const RUN = `${OURS}run-`;
const TURN = `${OURS}sweep-turn`;

/**
 * Takes a lock for as long as the worker lives or until the returned function is called; that resolves once others can have it.
 * @param refusal what is thrown when another tab or worker has it
 */
export async function takeLock(name: string, refusal: () => Error): Promise<() => Promise<void>> {
  return new Promise((resolve, reject) => {
    const freed: Promise<unknown> = navigator.locks.request(name, { ifAvailable: true }, (lock) => {
      if (!lock) throw refusal();
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

/**
 * Takes a run's lock, as takeLock does.
 * @throws LorikeetError "run-locked" when another tab or worker has it
 */
export function lockRun(runId: string): Promise<() => Promise<void>> {
  return takeLock(RUN + runId, () => new LorikeetError('run-locked', 'This run is being trained in another tab or window.', 'Go on there, or close that tab and try again here.'));
}

/**
 * Waits for this tab's turn to train a run of a sweep: of all tabs, one does at a time, in the order in which they asked.
 * @param onWait called when another tab has it
 * @param signal ends the waiting
 * @returns the function that gives the turn to the next; null when the waiting was ended
 */
export async function takeTurn(onWait: () => void, signal: AbortSignal): Promise<(() => Promise<void>) | null> {
  if (await isLocked(TURN)) onWait();
  return new Promise((resolve, reject) => {
    const freed: Promise<unknown> = navigator.locks.request(TURN, { signal }, () => {
      return new Promise<void>((release) => {
        resolve(async () => {
          release();
          await freed;
        });
      });
    });
    freed.catch((error: unknown) => (signal.aborted ? resolve(null) : reject(error)));
  });
}

export async function isLocked(name: string): Promise<boolean> {
  const { held = [] } = await navigator.locks.query();
  return held.some((lock) => lock.name === name);
}

/** Ids of the runs that some tab is training now. */
export async function lockedRuns(): Promise<Set<string>> {
  const { held = [] } = await navigator.locks.query();
  const names = held.map((lock) => lock.name ?? '').filter((name) => name.startsWith(RUN));
  return new Set(names.map((name) => name.slice(RUN.length)));
}

/** Whether some tab trains, downloads a model or writes one: what a reload would cut off. */
export async function anythingLocked(): Promise<boolean> {
  const { held = [] } = await navigator.locks.query();
  return held.some(({ name }) => name?.startsWith(OURS));
}
