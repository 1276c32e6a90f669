/** A browser with a profile that outlives it, and the tab in which somebody trains. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright';
import { openBrowser, type OpenBrowser } from '../browser/open.ts';
import { TrainPage } from '../demo/page.ts';
import { kill } from '../demo/small-dataset.ts';
import { tapWorker, type Heard } from '../demo/tap.ts';
import type { Fault } from './faults.ts';
import { killAll, killGpuProcess, processesOf } from './processes.ts';
import { openSite, type Site } from './site.ts';
import { visit } from './visitor.ts';

export interface Tab {
  page: Page;
  train: TrainPage;
  /** True once its process, or itself, is gone. */
  dead: boolean;
}

/** What the world tells whoever runs it. */
export interface Ears {
  hear(heard: Heard): void;
  note(line: string): void;
  uncaught(text: string): void;
}

export class World {
  readonly scratch = mkdtempSync(join(tmpdir(), 'lorikeet-soak-'));
  #profiles = 0;
  #profile = '';
  #browser: OpenBrowser | null = null;
  #tab: Tab | null = null;
  #striking: Promise<void> = Promise.resolve();
  /** Somebody else has the page open. */
  visited = false;

  private constructor(
    readonly site: Site,
    private readonly ears: Ears,
  ) {
    this.#freshProfile();
  }

  static async open(ears: Ears): Promise<World> {
    return new World(await openSite(), ears);
  }

  /** The tab, or a fresh one where there is none alive; its page may not have been loaded yet. */
  async tab(): Promise<{ tab: Tab; fresh: boolean }> {
    if (this.#tab && !this.#tab.dead) return { tab: this.#tab, fresh: false };
    // What the console says is expected of a page whose GPU or files vanish; exceptions that nobody caught are not.
    this.#browser ??= await openBrowser(() => undefined, this.#profile);
    const { context } = this.#browser;
    const page = context.pages().find((open) => open.url() === 'about:blank') ?? (await context.newPage());
    page.on('pageerror', ({ name, message, stack }) => this.ears.uncaught(`uncaught: ${name}: ${message} ${stack}`));
    page.on('dialog', (dialog) => void dialog.accept().catch(() => undefined));
    const train = new TrainPage(page, this.scratch);
    const tab: Tab = { page, train, dead: false };
    page.on('crash', () => (tab.dead = true));
    page.on('close', () => (tab.dead = true));
    await tapWorker(page, (heard) => {
      if (tab.dead) return;
      train.hear(heard);
      this.ears.hear(heard);
    });
    this.#tab = tab;
    return { tab, fresh: true };
  }

  /** Resolves when nothing is being struck: meanwhile a person sees nothing but a page that waits. */
  calm(): Promise<void> {
    return this.#striking;
  }

  /** Brings about what the worker cannot do to itself. */
  strike(fault: Fault, runId: string | null): Promise<void> {
    const struck = this.#strike(fault, runId);
    this.#striking = struck.catch((error: unknown) => this.ears.note(`while ${fault} struck: ${String(error).split('\n')[0]}`));
    return this.#striking;
  }

  async #strike(fault: Fault, runId: string | null): Promise<void> {
    if (fault === 'browser') return this.endBrowser();
    if (fault === 'gpu-process') return void killGpuProcess(this.#profile);
    if (!this.#tab || this.#tab.dead) return;
    const { page } = this.#tab;
    if (fault === 'second-tab') return this.#visit(page, runId);
    this.#tab.dead = true;
    // A browser whose last tab is closed would end as well.
    await page.context().newPage();
    await (fault === 'tab' ? page.close({ runBeforeUnload: false }) : kill(page)).catch(() => undefined);
  }

  async #visit(page: Page, runId: string | null): Promise<void> {
    this.visited = true;
    const second = await page.context().newPage();
    try {
      this.ears.note(`in the second tab: ${await visit(second, this.site.url, runId)}`);
    } finally {
      await second.close();
      this.visited = false;
      await page.bringToFront();
    }
  }

  /** Ends every process of the browser: nothing is flushed, no handler runs. */
  async endBrowser(): Promise<void> {
    const gone = this.#browser;
    this.#browser = null;
    if (this.#tab) this.#tab.dead = true;
    killAll(processesOf(this.#profile));
    await gone?.close().catch(() => undefined);
  }

  /** Leaves all that is stored behind, with a run that nobody will bring to its end. */
  async startOver(): Promise<void> {
    await this.endBrowser();
    this.#freshProfile();
  }

  #freshProfile(): void {
    this.#profile = join(this.scratch, `profile-${++this.#profiles}`);
    mkdirSync(this.#profile);
  }

  /** @returns a picture of the page, or null where there is none */
  async picture(): Promise<Buffer | null> {
    if (!this.#tab || this.#tab.dead) return null;
    return this.#tab.page.screenshot({ timeout: 20_000 }).catch(() => null);
  }

  async close(): Promise<void> {
    await this.endBrowser();
    await this.site.close();
    rmSync(this.scratch, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
}
