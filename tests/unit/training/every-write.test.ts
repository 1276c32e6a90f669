/** Each single write of a run finds no room, is aborted, or is the last thing that its worker does; each read of a resume fails: the run ends the same. */
import 'fake-indexeddb/auto';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { TrainingLog } from '../../../src/protocol/log.ts';
import { RunWriter } from '../../../src/storage/run-writer.ts';
import { readLog } from '../../../src/storage/runs.ts';
import { toySamples } from './toy-model.ts';
import { buildToyRun, never, timeless, toyConfig, toyRun, type ToyOptions } from './toy-run.ts';

const config = toyConfig({ logging_steps: 1, save_steps: 2, eval_steps: 3, max_steps: 5, save_total_limit: 1 });
const options = (id: string): ToyOptions => ({ id, config, validation: toySamples(3) });
const { put, get, getAll, getAllKeys } = IDBObjectStore.prototype;

interface Outcome {
  train: unknown;
  validation: unknown;
  best: TrainingLog['best_checkpoint'];
  adapters: Record<string, Uint8Array>;
}

let whole: Outcome;
let writes = 0;

/** Calls `strike` after one put, counted from 0, or where it is lasting after all that follow too; it may abort the transaction. */
function atWrite(wanted: number, strike: (store: IDBObjectStore) => void, lasting = false): void {
  let count = 0;
  vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementation(function (this: IDBObjectStore, value: unknown, key?: IDBValidKey) {
    const now = count++;
    const request = put.call(this, value, key);
    if (now === wanted || (lasting && now > wanted)) strike(this);
    return request;
  });
}

/** As browsers report it: by the transaction, not by the request. */
function noRoom({ transaction }: IDBObjectStore): void {
  Object.defineProperty(transaction, 'error', { value: new DOMException('The disk is full.', 'QuotaExceededError') });
  transaction.abort();
}

async function outcomeOf(id: string): Promise<Outcome> {
  const [log, writer] = await Promise.all([readLog(id), RunWriter.open(id)]);
  const adapters: Record<string, Uint8Array> = {};
  for (const name of Object.keys(writer.directories).sort()) adapters[name] = (await writer.readDirectory(name)).get('adapter_model.safetensors')!;
  const validation = log.val_history.map(({ eval_runtime: _runtime, time: _time, ...row }) => row);
  return { train: timeless(log.train_history), validation, best: log.best_checkpoint, adapters };
}

/** Runs, and presses "continue" whenever the run waits for room. */
async function run(parts: Awaited<ReturnType<typeof buildToyRun>>): Promise<string> {
  const pressing = setInterval(() => {
    const last = parts.events.findLast(({ type }) => type === 'status');
    if (last?.type === 'status' && last.status === 'paused') parts.run.control.continue();
  }, 1);
  return parts.run.run().finally(() => clearInterval(pressing));
}

/** Runs until the worker is gone, in the middle of a step. */
async function runUntil(parts: Awaited<ReturnType<typeof buildToyRun>>, microBatch: number): Promise<void> {
  await new Promise<void>((gone) => {
    parts.model.beforeMicroBatch = (count) => (count < microBatch ? undefined : (gone(), never()));
    void run(parts);
  });
}

/** What a user does with a run that did not come to its end. */
async function goOn(id: string): Promise<void> {
  const { status } = await toyRun({ ...options(id), resume: true });
  expect(status).toBe('finished');
}

beforeAll(async () => {
  const parts = await buildToyRun(options('whole'));
  vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementation(function (this: IDBObjectStore, value: unknown, key?: IDBValidKey) {
    writes++;
    return put.call(this, value, key);
  });
  expect(await run(parts)).toBe('finished');
  vi.restoreAllMocks();
  whole = await outcomeOf('whole');
});

let id = '';
beforeEach(({ task }) => void (id = task.name));
afterEach(() => vi.restoreAllMocks());

describe('each write of a run', () => {
  it('is one of dozens, of every kind of record', () => {
    expect(writes).toBeGreaterThan(30);
    expect(Object.keys(whole.adapters)).toEqual(['best', 'checkpoint-4', 'final']);
  });

  it('finds no room once: the run waits, and ends the same', async () => {
    for (let k = 0; k < writes; k++) {
      const parts = await buildToyRun(options(`${id} ${k}`));
      atWrite(k, noRoom);
      expect(await run(parts), `write ${k}`).toBe('finished');
      vi.restoreAllMocks();
      expect(await outcomeOf(`${id} ${k}`), `write ${k}`).toEqual(whole);
    }
  });

  it('is the first of many that find no room, until the user gives up: the run goes on later, and ends the same', async () => {
    for (let k = 0; k < writes; k++) {
      const name = `${id} ${k}`;
      const parts = await buildToyRun(options(name));
      atWrite(k, noRoom, true);
      const giving = setInterval(() => {
        const last = parts.events.findLast(({ type }) => type === 'status');
        if (last?.type === 'status' && last.status === 'paused') parts.run.control.stop();
      }, 1);
      const status = await parts.run.run().finally(() => clearInterval(giving));
      vi.restoreAllMocks();
      const stored = Object.keys(parts.writer.directories).some((directory) => directory === 'resume' || directory.startsWith('checkpoint'));
      if (status !== 'finished' && stored) {
        await goOn(name);
        // Where it was stopped it was validated besides, which may have been its best.
        const { train, adapters } = await outcomeOf(name);
        expect({ train, final: adapters.final, 'checkpoint-4': adapters['checkpoint-4'] }, `write ${k}`).toEqual({ train: whole.train, final: whole.adapters.final, 'checkpoint-4': whole.adapters['checkpoint-4'] });
      } else if (status !== 'finished') expect(parts.events.some(({ type }) => type === 'train'), `write ${k}: rows without a state`).toBe(false);
    }
  });

  it('is aborted without a reason: it is tried again, and the run ends the same', async () => {
    for (let k = 0; k < writes; k++) {
      const name = `${id} ${k}`;
      const parts = await buildToyRun(options(name));
      atWrite(k, ({ transaction }) => transaction.abort());
      expect(await run(parts), `write ${k}`).toBe('finished');
      vi.restoreAllMocks();
      expect(await outcomeOf(name), `write ${k}`).toEqual(whole);
    }
  });

  it('is the last thing that the worker does: the run goes on in another, and ends the same', async () => {
    for (let k = 0; k < writes; k++) {
      const name = `${id} ${k}`;
      const parts = await buildToyRun(options(name));
      await new Promise<void>((killed) => {
        // Nobody hears of the transaction any more, and nothing after it is written.
        atWrite(k, ({ transaction }) => {
          Object.assign(transaction, { oncomplete: null, onabort: null });
          transaction.abort();
          parts.model.beforeMicroBatch = never;
          setTimeout(killed, 3);
        }, true);
        void run(parts);
      });
      vi.restoreAllMocks();
      const stored = (await RunWriter.open(name)).directories;
      if (Object.keys(stored).length === 0) {
        expect((await readLog(name)).train_history, `write ${k}: rows without a state`).toEqual([]);
        continue;
      }
      await goOn(name);
      expect(await outcomeOf(name), `write ${k}`).toEqual(whole);
    }
  });
});

describe('the clock of the computer', () => {
  it.each([-40, 40])('jumps by %d days at any write: the run ends the same, and goes on from its newest state', async (days) => {
    for (let k = 0; k < writes; k += 3) {
      const name = `${id} ${days} ${k}`;
      const parts = await buildToyRun(options(name));
      const real = Date.now;
      atWrite(k, () => void vi.setSystemTime(real() + days * 86_400_000));
      vi.useFakeTimers({ toFake: ['Date'] });
      await runUntil(parts, 9);
      vi.useRealTimers();
      vi.restoreAllMocks();
      await goOn(name);
      expect(await outcomeOf(name), `write ${k}`).toEqual(whole);
    }
  });
});

describe('each read of a resume', () => {
  it('fails once: nothing is lost, and the next try, or a state before, leads to the same end', async () => {
    for (let k = 0, struck = true; struck; k++) {
      const name = `${id} ${k}`;
      const parts = await buildToyRun(options(name));
      await runUntil(parts, 7);
      let count = 0;
      const refuse = () => {
        if (count++ === k) throw new DOMException('Internal error.', 'UnknownError');
      };
      vi.spyOn(IDBObjectStore.prototype, 'get').mockImplementation(function (this: IDBObjectStore, key) { refuse(); return get.call(this, key); });
      vi.spyOn(IDBObjectStore.prototype, 'getAll').mockImplementation(function (this: IDBObjectStore, ...args) { refuse(); return getAll.apply(this, args as never); });
      vi.spyOn(IDBObjectStore.prototype, 'getAllKeys').mockImplementation(function (this: IDBObjectStore, ...args) { refuse(); return getAllKeys.apply(this, args as never); });
      const first = await toyRun({ ...options(name), resume: true }).then(({ status }) => status, () => 'refused');
      struck = count > k;
      vi.restoreAllMocks();
      if (first !== 'finished') await goOn(name);
      expect(await outcomeOf(name), `read ${k}`).toEqual(whole);
    }
  });
});
