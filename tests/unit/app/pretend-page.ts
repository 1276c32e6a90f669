/** The page's state without a page: the real stores and a real session on the toy model, in a pretended browser. */
import { clear, createStore } from 'idb-keyval';
import { vi } from 'vitest';
import type { FromWorker, ToWorker } from '../../../src/protocol/messages.ts';
import { LorikeetError } from '../../../src/protocol/errors.ts';
import { fakeSession, fetchPublic, type FakeSession } from '../session/fake-engine.ts';
import { pretendBrowser, type PretendBrowser } from '../storage/pretend-browser.ts';
import { never } from '../training/toy-run.ts';

/** Called before each micro-batch; counts runs (begun or resumed) since the browser was opened, and their micro-batches, from 0. */
export type OnMicroBatch = (run: number, microBatch: number) => void | Promise<void>;

type Listener = (event: never) => void;

/** A worker that hosts a session; once terminated it neither speaks nor computes. */
class PretendWorker {
  private readonly listeners = new Map<string, Listener[]>();
  private readonly session: FakeSession;
  private dead = false;

  constructor(browser: PretendVisit) {
    browser.workers.push(this);
    this.session = fakeSession(
      (model) => {
        const run = browser.runs++;
        model.beforeMicroBatch = (microBatch) => (this.dead ? never() : browser.onMicroBatch(run, microBatch));
      },
      (event) => this.say({ kind: 'event', event }),
    );
  }

  postMessage({ id, request }: ToWorker): void {
    if (this.dead) return;
    this.session.session.handle(request).then(
      (value) => this.say({ kind: 'reply', id, value }),
      (error: unknown) => this.say({ kind: 'error', id, error: LorikeetError.from(error).toRecord() }),
    );
  }

  addEventListener(type: string, listener: Listener): void {
    this.listeners.set(type, [...(this.listeners.get(type) ?? []), listener]);
  }

  terminate(): void {
    this.dead = true;
  }

  /** Dies by itself, as for want of memory. */
  crash(message: string): void {
    this.dead = true;
    this.tell('error', { message, preventDefault: () => undefined });
  }

  private say(data: FromWorker): void {
    setTimeout(() => {
      if (!this.dead) this.tell('message', { data });
    });
  }

  private tell(type: string, event: unknown): void {
    for (const listener of this.listeners.get(type) ?? []) listener(event as never);
  }
}

async function importState() {
  const [{ currentRun }, { dataset }, { model }, { runs }, { session }, { settings }, { startingAdapter }, { sweeps }, { toasts }, { trainer }] = await Promise.all([
    import('../../../src/app/state/current-run.svelte.ts'),
    import('../../../src/app/state/dataset.svelte.ts'),
    import('../../../src/app/state/model.svelte.ts'),
    import('../../../src/app/state/runs.svelte.ts'),
    import('../../../src/app/state/session.svelte.ts'),
    import('../../../src/app/state/settings.svelte.ts'),
    import('../../../src/app/state/starting-adapter.svelte.ts'),
    import('../../../src/app/state/sweeps.svelte.ts'),
    import('../../../src/app/state/toasts.svelte.ts'),
    import('../../../src/app/state/trainer.svelte.ts'),
  ]);
  return { currentRun, dataset, model, runs, session, settings, startingAdapter, sweeps, toasts, trainer };
}

export type PageState = Awaited<ReturnType<typeof importState>>;

/** One browser; what is stored in it survives its pages. */
export class PretendVisit {
  readonly workers: PretendWorker[] = [];
  readonly browser: PretendBrowser = pretendBrowser();
  runs = 0;
  onMicroBatch: OnMicroBatch = () => undefined;

  /** Opens a browser in which nothing is stored. */
  static async begin(): Promise<PretendVisit> {
    const visit = new PretendVisit();
    await clear(createStore('lorikeet', 'records'));
    return visit;
  }

  private constructor() {
    const kept = new Map<string, string>();
    Object.assign(navigator, { gpu: {}, language: 'en' });
    Object.assign(navigator.storage, { persist: async () => true, persisted: async () => true });
    vi.stubGlobal('fetch', fetchPublic);
    vi.stubGlobal('addEventListener', () => undefined);
    vi.stubGlobal('location', { hash: '' });
    vi.stubGlobal('document', { hidden: false });
    vi.stubGlobal('requestAnimationFrame', (frame: () => void) => setTimeout(frame));
    vi.stubGlobal('localStorage', { getItem: (key: string) => kept.get(key) ?? null, setItem: (key: string, value: string) => void kept.set(key, value) });
    const open = (): PretendWorker => new PretendWorker(this);
    vi.stubGlobal('Worker', function () {
      return open();
    });
  }

  /** Opens the page, or loads it anew: workers and locks of the page before are gone. */
  async open(): Promise<PageState> {
    for (const worker of this.workers) worker.terminate();
    this.browser.locks.dropAll();
    vi.resetModules();
    const page = await importState();
    await page.trainer.open();
    return page;
  }
}
