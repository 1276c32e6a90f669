/** Runs a user's reward over batches in its own worker; a function that throws, stalls or answers nonsense costs its completion only. */
import type { CustomRewardFault, FromRewardWorker, RewardCall, RewardOutcome, SourcePlace, ToRewardWorker } from '../../protocol/reward-messages.ts';

/** The part of Worker that is needed; tests bring their own. */
export interface RewardWorkerLike {
  postMessage(message: ToRewardWorker): void;
  terminate(): void;
  addEventListener(type: 'message', listener: (event: { data: FromRewardWorker }) => void): void;
  addEventListener(type: 'error', listener: (event: { message: string }) => void): void;
}

export interface CustomRewardSettings {
  source: string;
  /** Time for one completion. */
  limitMs?: number;
  /** Time to start the worker and load the source. */
  loadLimitMs?: number;
  /** With a completion's number it decides what Math.random gives. */
  seed?: number;
}

export interface CustomRewardBatch {
  /** One per completion, in order. */
  outcomes: RewardOutcome[];
  /** How often each fault occurred; faults that did not are left out. */
  faults: Partial<Record<CustomRewardFault, number>>;
}

/** The interpreter ends a call by itself; a worker that says nothing for this much longer hangs in one long operation and is ended. */
const GRACE_MS = 500;
const OUT_OF_TURN = 'The worker answered out of turn.';

type Fault = Extract<RewardOutcome, { message: string }>;
const fault = (kind: CustomRewardFault, message: string, place?: SourcePlace): Fault => ({ reward: null, fault: kind, message, ...(place && { place }) });

export class RewardRunner {
  readonly #settings: Required<CustomRewardSettings>;
  readonly #createWorker: () => RewardWorkerLike;
  #worker: RewardWorkerLike | null = null;
  /** Settled by the worker's next message; null while nothing is awaited. */
  #waiting: ((message: FromRewardWorker | Fault) => void) | null = null;
  #scored = 0;

  constructor({ source, limitMs = 1000, loadLimitMs = 10_000, seed = 0 }: CustomRewardSettings, createWorker: () => RewardWorkerLike) {
    this.#settings = { source, limitMs, loadLimitMs, seed };
    this.#createWorker = createWorker;
  }

  /** Scores one completion after the other. Never rejects; one batch at a time. */
  async score(calls: readonly RewardCall[]): Promise<CustomRewardBatch> {
    const batch: CustomRewardBatch = { outcomes: [], faults: {} };
    let broken: Fault | null = null;
    for (const call of calls) {
      broken ??= this.#worker ? null : await this.#start();
      const outcome = broken ?? (await this.#run(call));
      batch.outcomes.push(outcome);
      if (outcome.fault) batch.faults[outcome.fault] = (batch.faults[outcome.fault] ?? 0) + 1;
    }
    return batch;
  }

  /** Ends the worker; the next batch starts a new one. */
  close(): void {
    this.#worker?.terminate();
    this.#worker = null;
  }

  /** @returns what kept the source from being loaded */
  async #start(): Promise<Fault | null> {
    const { source, limitMs, loadLimitMs } = this.#settings;
    const worker = this.#createWorker();
    this.#worker = worker;
    // A worker that was ended may have had an answer under way: only the present one is heard.
    const settle = (message: FromRewardWorker | Fault) => worker === this.#worker && this.#waiting?.(message);
    worker.addEventListener('message', ({ data }) => settle(data));
    worker.addEventListener('error', ({ message }) => settle(fault('threw', message)));
    const ready = await this.#answer(loadLimitMs);
    const loaded = 'kind' in ready && ready.kind === 'ready' ? await this.#ask({ kind: 'load', source, limitMs }, loadLimitMs) : ready;
    const bad = 'kind' in loaded ? (loaded.kind === 'loaded' ? loaded.fault : { message: OUT_OF_TURN }) : loaded;
    if (bad === null) return null;
    this.close();
    return fault('source', bad.message, bad.place);
  }

  async #run(call: RewardCall): Promise<RewardOutcome> {
    const { limitMs, seed } = this.#settings;
    const id = ++this.#scored;
    const answer = await this.#ask({ kind: 'score', id, seed: (seed + Math.imul(id, 0x9e3779b1)) >>> 0, call }, limitMs, GRACE_MS);
    const scored = 'kind' in answer && answer.kind === 'scored' && answer.id === id ? answer : null;
    if (!scored || scored.spent) this.close();
    if (scored) return scored.outcome;
    return 'fault' in answer && 'message' in answer ? answer : fault('threw', OUT_OF_TURN);
  }

  #ask(message: ToRewardWorker, limitMs: number, graceMs = 0): Promise<FromRewardWorker | Fault> {
    const answer = this.#answer(limitMs, graceMs);
    this.#worker!.postMessage(message);
    return answer;
  }

  #answer(limitMs: number, graceMs = 0): Promise<FromRewardWorker | Fault> {
    return new Promise((resolve) => {
      const finish = (message: FromRewardWorker | Fault) => {
        clearTimeout(timer);
        this.#waiting = null;
        resolve(message);
      };
      const timer = setTimeout(() => finish(fault('slow', `No answer within ${limitMs} ms.`)), limitMs + graceMs);
      this.#waiting = finish;
    });
  }
}
