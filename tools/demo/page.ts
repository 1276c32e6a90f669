/** Uses the page as a person would: chooses model and data, brings settings, starts, stops, downloads. */
import { readFileSync, writeFileSync } from 'node:fs';
import { basename, extname, join } from 'node:path';
import type { Page } from 'playwright';
import type { TrainingConfig } from '../../src/protocol/config.ts';
import type { ErrorRecord } from '../../src/protocol/errors.ts';
import type { DatasetProblem, DatasetSummary, ModelSummary, Replies, Request } from '../../src/protocol/messages.ts';
import type { DemoOptions } from './options.ts';
import { stageDataset } from './staging.ts';
import type { Heard } from './tap.ts';

/** Longest wait for the device to open, and for a click to take effect. */
const REACTION_MS = 120_000;

/** What went wrong on the page, in the page's own words. */
export class PageError extends Error {
  override readonly name = 'PageError';
}

/** "message (file, line): advice" of an error the page got. */
export function describeError(error: ErrorRecord): string {
  const place = Object.entries(error.place).map(([key, value]) => `${key} ${value}`);
  return [`${error.message}${place.length > 0 ? ` (${place.join(', ')})` : ''}`, error.advice].filter((part) => part !== '').join(' ');
}

/** "error: message (file, line, sample): advice" of a fault in a dataset. */
export function describeProblem({ level, message, advice, file, line, sample, field }: DatasetProblem): string {
  const place = Object.entries({ file, line, sample, field }).flatMap(([key, value]) => (value === undefined ? [] : [`${key} ${value}`]));
  return `${level}: ${message}${place.length > 0 ? ` (${place.join(', ')})` : ''} ${advice}`.trim();
}

/** Drives the Train view. `hear` must be called with everything the tap tells. */
export class TrainPage {
  readonly #waiting = new Map<Request['type'], { resolve: (value: Replies[Request['type']]) => void; reject: (error: Error) => void }>();

  constructor(
    private readonly page: Page,
    /** Folder for files that are handed to the page. */
    private readonly scratch: string,
  ) {}

  hear(heard: Heard): void {
    if (heard.kind === 'event') return;
    const waiting = this.#waiting.get(heard.request);
    if (!waiting) return;
    this.#waiting.delete(heard.request);
    if (heard.kind === 'done') waiting.resolve(heard.value);
    else waiting.reject(new PageError(describeError(heard.error)));
  }

  /** Opens the page and waits for the device. */
  async open(url: string): Promise<void> {
    await this.#awaitRequest('openDevice', async () => {
      await this.page.goto(url);
    });
  }

  /** Agrees to code and templates in the settings: who drives the page wrote them. */
  async importSettings(config: TrainingConfig): Promise<void> {
    const file = join(this.scratch, 'settings.json');
    writeFileSync(file, JSON.stringify(config, null, 2));
    await this.#pick('import-settings', file);
    const imported = this.page.getByTestId('toast').first();
    const agree = this.page.getByTestId('consent-agree');
    await imported.or(agree).waitFor({ timeout: REACTION_MS });
    if (await agree.isVisible()) await agree.click();
    await imported.waitFor({ timeout: REACTION_MS });
  }

  /** @param folder undefined chooses the built-in model */
  async chooseModel(folder: string | undefined): Promise<ModelSummary> {
    return this.#awaitRequest('loadModel', () => (folder === undefined ? this.#click('model-demo') : this.#pick('model-folder', folder)));
  }

  /** Opens the only model whose quantised weights this browser keeps. */
  async chooseKeptModel(): Promise<ModelSummary> {
    await this.#click('nav-models');
    return this.#awaitRequest('loadModel', () => this.#click('packed-use'));
  }

  /** Downloads a model from a hub at that path of the page's own server, and waits until it is whole. */
  async downloadModel(path: string, id: string): Promise<void> {
    await this.#click('hub-open');
    await this.page.getByTestId('hub').locator('summary').click();
    await this.page.getByTestId('hub-base').fill(new URL(path, this.page.url()).href);
    await this.page.getByTestId('hub-query').fill(id);
    await this.#click('hub-ask');
    await this.#click('hub-download');
    await this.page.locator('[data-testid=stored-model][data-state=whole]').waitFor({ timeout: 0 });
  }

  /** Opens the only model that this browser has downloaded. */
  async chooseStoredModel(): Promise<ModelSummary> {
    return this.#awaitRequest('loadModel', () => this.#click('stored-use'));
  }

  /**
   * @param train undefined chooses the built-in set `builtIn`
   * @throws PageError when no sample can be used
   */
  async chooseData(train: string | undefined, validation: string | undefined, builtIn: DemoOptions['data'] = 'pictures'): Promise<DatasetSummary> {
    let summary = await this.#awaitRequest('loadDataset', () => (train === undefined ? this.#click(builtIn === 'video' ? 'data-demo-video' : 'data-demo') : this.#pickData('train', train)));
    if (validation !== undefined) {
      const change = this.page.getByTestId('data-change');
      if ((await change.getAttribute('aria-expanded')) === 'false') await change.click();
      summary = await this.#awaitRequest('loadDataset', () => this.#pickData('validation', validation));
    }
    if (summary.trainSamples > 0) return summary;
    throw new PageError(`There is no usable training sample.${summary.problems.slice(0, 5).map((problem) => `\n  ${describeProblem(problem)}`).join('')}`);
  }

  /** Chooses the adapter to start from; the page takes over its shape. */
  async chooseAdapter(adapter: NonNullable<DemoOptions['adapter']>): Promise<void> {
    const choice = this.page.getByTestId('start-from');
    await this.#awaitRequest('inspectAdapter', async () => {
      await choice.selectOption(adapter.kind === 'demo' ? 'demo' : 'folder', { timeout: REACTION_MS });
      if (adapter.kind === 'folder') await this.#pick('start-from-pick-folder', adapter.path);
    });
    await this.page.getByTestId('adapter-taken').waitFor({ timeout: REACTION_MS });
  }

  /** Clicks start; resolves when the worker has the run. */
  async start(): Promise<void> {
    await this.#awaitRequest('start', () => this.#click('start'));
  }

  async stop(): Promise<void> {
    await this.#click('stop');
  }

  /** The run's files as one ZIP, by the page's own download button. */
  async downloadRun(): Promise<Uint8Array> {
    const [download] = await Promise.all([this.page.waitForEvent('download', { timeout: REACTION_MS }), this.#click('download-run')]);
    return readFileSync(await download.path());
  }

  /** The run packed for a cluster, by the page's own download button. */
  async downloadHandoff(): Promise<Uint8Array> {
    const [download] = await Promise.all([this.page.waitForEvent('download', { timeout: REACTION_MS }), this.#click('download-cluster')]);
    return readFileSync(await download.path());
  }

  /** Text of the error boxes now on the page, one per line. */
  async visibleErrors(): Promise<string> {
    return (await this.page.getByTestId('error-box').allInnerTexts()).map((text) => text.replace(/\s+/g, ' ').trim()).join('\n');
  }

  async #pickData(which: 'train' | 'validation', file: string): Promise<void> {
    if (extname(file).toLowerCase() === '.zip') return this.#pick(`${which}-files`, file);
    await this.#pick(`${which}-folder`, stageDataset(file, join(this.scratch, which, basename(file, extname(file)))));
  }

  async #click(testid: string): Promise<void> {
    await this.page.getByTestId(testid).first().click({ timeout: REACTION_MS });
  }

  async #pick(testid: string, path: string): Promise<void> {
    await this.page.getByTestId(testid).first().setInputFiles(path, { timeout: REACTION_MS });
  }

  /** Does something that makes the page ask its worker, and waits for the answer. */
  async #awaitRequest<T extends Request['type']>(type: T, action: () => Promise<void>): Promise<Replies[T]> {
    const answered = new Promise<Replies[Request['type']]>((resolve, reject) => this.#waiting.set(type, { resolve, reject }));
    answered.catch(() => undefined);
    const [, value] = await Promise.all([action(), answered]);
    return value as Replies[T];
  }
}
