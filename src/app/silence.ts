/** Notices when the trainer says nothing: it does not even answer a ping, or a request gets neither news nor a reply. Pure. */
import type { Request } from '../protocol/messages.ts';

/** How often somebody is to look, in milliseconds. */
export const LOOK_EVERY_MS = 10_000;
/** Pings in a row without an answer. Counted in looks, not by a clock: a computer that slept is no silent trainer. */
const MISSED = 3;
/** Looks in a row at which a request waited and nothing was heard of it. */
const QUIET = 6;

/** Requests that wait for the GPU, which may take as long as it likes: it is asked for by the user and announced as such. */
const GPU_WORK: ReadonlySet<Request['type']> = new Set(['openDevice', 'plan', 'generate', 'start', 'resumeRun', 'saveNow']);

/** "dead": the worker's thread is stuck. "quiet": it is alive, but says nothing of what it was asked for. */
export type Silence = 'dead' | 'quiet' | null;

export interface Watched {
  /** Messages of any kind so far. */
  readonly heard: number;
  /** The same without answers to pings. */
  readonly news: number;
  /** Requests without a reply yet, pings left out. */
  readonly waiting: readonly Request['type'][];
  ping(): void;
}

export class SilenceWatch {
  readonly #watched: Watched;
  #heard = -1;
  #news = -1;
  #missed = 0;
  #quiet = 0;

  constructor(watched: Watched) {
    this.#watched = watched;
  }

  /** Call every LOOK_EVERY_MS. */
  look(): Silence {
    const { heard, news, waiting } = this.#watched;
    this.#missed = heard === this.#heard ? this.#missed + 1 : 0;
    const silent = waiting.length > 0 && news === this.#news && !waiting.some((type) => GPU_WORK.has(type));
    this.#quiet = silent ? this.#quiet + 1 : 0;
    this.#heard = heard;
    this.#news = news;
    this.#watched.ping();
    if (this.#missed >= MISSED) return 'dead';
    return this.#quiet >= QUIET ? 'quiet' : null;
  }
}
