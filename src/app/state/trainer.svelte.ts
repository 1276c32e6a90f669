/** The trainer worker as the page sees it: its device, its health, and a fresh one when it dies. */
import { LorikeetError, type ErrorCode, type ErrorRecord } from '../../protocol/errors.ts';
import type { DeviceSummary, Replies, Request, TrainerEvent } from '../../protocol/messages.ts';
import type { Stage } from '../../protocol/sayings.ts';
import { gpuChoice } from './gpu-choice.svelte.ts';
import { LOOK_EVERY_MS, SilenceWatch, type Silence } from '../silence.ts';
import { createTrainerWorker, TrainerClient } from '../trainer-client.ts';

export interface TaskProgress {
  done: number;
  total: number;
  stage: Stage | null;
}

type Task = Extract<TrainerEvent, { type: 'progress' }>['task'];

/** After a run that failed so, only a new worker gives the GPU's memory back for sure. */
export const NEEDS_RESTART: readonly ErrorCode[] = ['device-lost', 'out-of-memory', 'internal'];

class Trainer {
  device = $state.raw<DeviceSummary | null>(null);
  /** Why there is no usable device or worker. */
  error = $state.raw<ErrorRecord | null>(null);
  opening = $state(false);
  /** What the worker is busy with, by task. */
  tasks = $state.raw<Partial<Record<Task, TaskProgress>>>({});
  /** Set while nothing is heard of the worker; the page then offers to restart it. */
  silence = $state<Silence>(null);
  #client: TrainerClient | null = null;
  #looking: ReturnType<typeof setInterval> | undefined;
  readonly #listeners = new Set<(event: TrainerEvent) => void>();
  readonly #restartListeners = new Set<(error: ErrorRecord | null) => void>();

  get ready(): boolean {
    return this.device !== null && this.error === null;
  }

  /** Starts the worker and opens the GPU. Errors end up in `error`. */
  async open(): Promise<void> {
    this.error = null;
    this.device = null;
    if (!('gpu' in navigator)) {
      this.error = new LorikeetError('webgpu-missing', 'The browser has no navigator.gpu.').toRecord();
      return;
    }
    this.opening = true;
    const client = new TrainerClient(createTrainerWorker, (error) => this.#buried(error));
    this.#client = client;
    client.subscribe((event) => this.#hear(event));
    this.#watch(client);
    try {
      const device = await client.request({ type: 'openDevice', power: gpuChoice.power });
      if (client === this.#client) this.device = device;
    } catch (error) {
      if (client === this.#client) this.error = LorikeetError.from(error).toRecord();
    } finally {
      if (client === this.#client) this.opening = false;
    }
  }

  /** Ends the worker, giving all GPU memory back, and starts a new one. Model and data must be loaded again. */
  async restart(): Promise<void> {
    this.#client?.dispose();
    this.#client = null;
    this.tasks = {};
    for (const listener of this.#restartListeners) listener(null);
    await this.open();
  }

  /** @throws LorikeetError */
  request<R extends Request>(request: R): Promise<Replies[R['type']]> {
    if (!this.#client) return Promise.reject(new LorikeetError('internal', 'The trainer is not running.'));
    return this.#client.request(request);
  }

  /** Listens to the worker's news across restarts. */
  subscribe(listener: (event: TrainerEvent) => void): void {
    this.#listeners.add(listener);
  }

  /** Called when the worker is gone: by itself with the reason, or with null when it was restarted on purpose. */
  onGone(listener: (error: ErrorRecord | null) => void): void {
    this.#restartListeners.add(listener);
  }

  endTask(task: Task): void {
    const { [task]: _ended, ...rest } = this.tasks;
    this.tasks = rest;
  }

  #watch(client: TrainerClient): void {
    clearInterval(this.#looking);
    this.silence = null;
    const watch = new SilenceWatch(client);
    this.#looking = setInterval(() => {
      if (client === this.#client) this.silence = watch.look();
    }, LOOK_EVERY_MS);
  }

  #hear(event: TrainerEvent): void {
    this.silence = null;

    if (event.type === 'progress') {
      this.tasks = { ...this.tasks, [event.task]: { done: event.done, total: event.total, stage: event.stage } };
    }
    // A fault that belongs to no run, or that takes the GPU with it, leaves a trainer that needs a restart.
    if (event.type === 'failed' && (event.runId === null || event.error.code === 'device-lost')) this.error = event.error;
    for (const listener of this.#listeners) listener(event);
  }

  #buried(error: LorikeetError): void {
    this.#client = null;
    clearInterval(this.#looking);
    this.silence = null;
    this.opening = false;
    this.device = null;
    this.tasks = {};
    this.error = error.toRecord();
    for (const listener of this.#restartListeners) listener(this.error);
  }
}

export const trainer = new Trainer();
