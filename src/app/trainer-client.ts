/** The page's end of the protocol: typed requests with promised replies, news by subscription, and notice when the worker dies. */
import { LorikeetError } from '../protocol/errors.ts';
import type { FromWorker, Replies, Request, ToWorker, TrainerEvent } from '../protocol/messages.ts';
import type { Watched } from './silence.ts';

interface Waiting {
  type: Request['type'];
  resolve: (value: never) => void;
  reject: (error: LorikeetError) => void;
}

/** The part of Worker that the client needs; tests bring their own. */
export interface WorkerLike {
  postMessage(message: ToWorker): void;
  terminate(): void;
  addEventListener(type: 'message', listener: (event: MessageEvent<FromWorker>) => void): void;
  addEventListener(type: 'error', listener: (event: ErrorEvent) => void): void;
  addEventListener(type: 'messageerror', listener: (event: MessageEvent) => void): void;
}

/** Starts the real trainer. */
export function createTrainerWorker(): WorkerLike {
  return new Worker(new URL('../../workers/trainer.worker.ts', import.meta.url), { type: 'module', name: 'trainer' });
}

export class TrainerClient implements Watched {
  readonly #worker: WorkerLike;
  readonly #waiting = new Map<number, Waiting>();
  readonly #listeners = new Set<(event: TrainerEvent) => void>();
  readonly #onDeath: (error: LorikeetError) => void;
  #nextId = 1;
  #heard = 0;
  #pongs = 0;
  #dead: LorikeetError | null = null;

  /**
   * @param createWorker starts the worker; each client owns exactly one
   * @param onDeath called once when the worker can no longer be used; every open request has been refused by then
   */
  constructor(createWorker: () => WorkerLike, onDeath: (error: LorikeetError) => void) {
    this.#onDeath = onDeath;
    this.#worker = createWorker();
    this.#worker.addEventListener('message', (event) => this.#receive(event.data));
    this.#worker.addEventListener('error', (event) => {
      event.preventDefault();
      const detail = event.message || 'its program could not be loaded';
      this.#die(new LorikeetError('internal', `The trainer stopped: ${detail}.`));
    });
    this.#worker.addEventListener('messageerror', () => {
      this.#die(new LorikeetError('internal', 'The trainer sent a message that this browser cannot read.'));
    });
  }

  get alive(): boolean {
    return this.#dead === null;
  }

  get heard(): number {
    return this.#heard;
  }

  get news(): number {
    return this.#heard - this.#pongs;
  }

  get waiting(): readonly Request['type'][] {
    return [...this.#waiting.values()].map(({ type }) => type).filter((type) => type !== 'ping');
  }

  ping(): void {
    void this.request({ type: 'ping' }).then(() => this.#pongs++, () => undefined);
  }

  /**
   * Sends a request and waits for its reply.
   * @throws LorikeetError what the worker refused with, or why it died
   */
  request<R extends Request>(request: R): Promise<Replies[R['type']]> {
    if (this.#dead) return Promise.reject(this.#dead);
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { type: request.type, resolve, reject });
      try {
        this.#worker.postMessage({ id, request });
      } catch (error) {
        this.#waiting.delete(id);
        reject(LorikeetError.from(error));
      }
    });
  }

  /** Listens to news; returns the function that stops it. */
  subscribe(listener: (event: TrainerEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Ends the worker, which is the only sure way to give its GPU memory back. Open requests are refused; onDeath is not called. */
  dispose(): void {
    if (this.#dead) return;
    this.#refuseAll(new LorikeetError('internal', 'The trainer was restarted.'));
  }

  #receive(message: FromWorker): void {
    if (this.#dead) return;
    this.#heard++;
    if (message.kind === 'event') {
      for (const listener of this.#listeners) listener(message.event);
      return;
    }
    const waiting = this.#waiting.get(message.id);
    if (!waiting) return;
    this.#waiting.delete(message.id);
    if (message.kind === 'reply') waiting.resolve(message.value as never);
    else waiting.reject(LorikeetError.fromRecord(message.error));
  }

  #die(error: LorikeetError): void {
    if (this.#dead) return;
    this.#refuseAll(error);
    this.#onDeath(error);
  }

  #refuseAll(error: LorikeetError): void {
    this.#dead = error;
    this.#worker.terminate();
    for (const waiting of this.#waiting.values()) waiting.reject(error);
    this.#waiting.clear();
    this.#listeners.clear();
  }
}
