/** Somebody at the page, who wants one run trained to its end whatever happens: does what the page offers, and nothing else. */
import { unzipSync } from 'fflate';
import type { TrainingConfig } from '../../src/protocol/config.ts';
import { formatDuration } from '../browser/command-line.ts';
import { Fall } from './fall.ts';
import type { Struck } from './faults.ts';
import { Hearing } from './hearing.ts';
import type { Tab, World } from './world.ts';

const LOOK_MS = 150;
// Patience is counted in looks: where the machine is slow, a look takes longer.
/** Nothing heard and nothing to click, beyond any compilation of kernels. */
const STUCK = 3000;
/** The page neither trains nor offers anything. */
const UNOFFERED = 150;
/** A trainer that the page calls silent may speak again. */
const SILENT = 150;
/** Where a run can be gone on with, that is better than a restart, and may be offered a moment later. */
const RESTARTABLE = 20;
/** So many clicks without any gain, and the page is loaded anew; twice as many, and so is the browser. */
const CLICKS = 10;

export class User {
  readonly diary: string[] = [];
  readonly known = new Hearing((line) => this.note(line));
  readonly #began = Date.now();
  #opened = false;
  #settingsGiven = false;
  #clicks = 0;
  #heard = 0;
  #gained = 0;
  #silent = 0;
  #unoffered = 0;
  #calledSilent = 0;
  #restartable = 0;

  constructor(
    private readonly world: World,
    private readonly folder: string,
    private readonly config: TrainingConfig,
    /** Hears each line of the diary as it is written. */
    private readonly onNote: (line: string) => void,
  ) {}

  /** Tells of a fault: it is written down, and some explain what would else be a fall. */
  struck({ fault, operation, at, phase }: Struck): void {
    this.note(`STRUCK ${fault} at ${operation} ${at} in ${phase}`);
    if (fault === 'unreadable' || fault === 'file-gone') this.known.unreadable = true;
  }

  /** Tells that a worker was started, which nothing has struck yet; returns the share of the run that is not stored. */
  workerBegan(): number {
    this.known.unreadable = false;
    return 1 - (this.known.savedStep ?? 0) / this.config.max_steps;
  }

  /**
   * @returns the run's files by path
   * @throws Fall
   */
  async trainToTheEnd(): Promise<Record<string, Uint8Array>> {
    for (;;) {
      try {
        await this.world.calm();
        const files = await this.#look();
        if (files) return files;
      } catch (error) {
        if (error instanceof Fall) throw error;
        this.note(`interrupted: ${String(error).split('\n')[0]}`);
      }
      if (this.known.fall) throw this.known.fall;
      this.#count();
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }

  /** Writes into the diary. */
  note(text: string): void {
    const line = `${formatDuration((Date.now() - this.#began) / 1000).padStart(12)}  ${text}`;
    this.diary.push(line);
    this.onNote(line);
  }

  #count(): void {
    const { signs, gains, status } = this.known;
    this.#silent = signs === this.#heard ? this.#silent + 1 : 0;
    if (gains !== this.#gained) this.#clicks = 0;
    this.#heard = signs;
    this.#gained = gains;
    if (this.#silent > STUCK) throw new Fall(`Nothing happened any more; status ${status || 'none'}.`);
    if (this.#clicks > 4 * CLICKS) throw new Fall(`${this.#clicks} clicks brought the run no step further; status ${status || 'none'}.`);
  }

  async #look(): Promise<Record<string, Uint8Array> | null> {
    const { tab, fresh } = await this.world.tab();
    if (fresh || !this.#opened) return this.#open(tab);
    if (this.known.finished) return this.#download(tab);
    if (await this.#tooManyClicks(tab)) return null;
    if (this.known.wantsData) return this.#chooseData(tab);
    this.#calledSilent = (await tab.page.getByTestId('restart-silent').isVisible()) ? this.#calledSilent + 1 : 0;
    if (this.#calledSilent > SILENT && (await this.#press(tab, 'restart-silent', true))) return null;
    for (const testid of ['continue', 'resume']) if (await this.#press(tab, testid)) return null;
    this.#restartable = (await tab.page.getByTestId('restart').first().isVisible()) ? this.#restartable + 1 : 0;
    if (this.#restartable > RESTARTABLE && (await this.#press(tab, 'restart', true))) return null;
    if ((await underWay(tab)) || (await tab.page.getByTestId('resume').first().isVisible())) this.#unoffered = 0;
    else if (this.known.runId !== null && this.known.savedStep !== null) await this.#seek(tab);
    else await this.#begin(tab);
    return null;
  }

  async #open({ page }: Tab): Promise<null> {
    this.known.renew();
    this.#settingsGiven = false;
    this.#unoffered = 0;
    this.note('opens the page');
    // Also where the page stands there still from the run before: each begins with a worker of its own.
    await page.goto('about:blank');
    this.#opened = false;
    await page.goto(this.world.site.url, { timeout: 120_000 });
    this.#opened = true;
    return null;
  }

  /** A GPU that was killed too often is only given back by a new page, or a new browser. */
  async #tooManyClicks({ page }: Tab): Promise<boolean> {
    if (this.#clicks !== CLICKS && this.#clicks !== 2 * CLICKS) return false;
    const browser = this.#clicks++ === 2 * CLICKS;
    this.note(browser ? 'starts the browser anew' : 'loads the page anew');
    this.known.renew();
    if (browser) await this.world.endBrowser();
    else await page.reload({ timeout: 120_000 });
    return true;
  }

  async #press({ page }: Tab, testid: string, restarts = false): Promise<boolean> {
    const button = page.getByTestId(testid).first();
    if (!(await button.isVisible()) || !(await button.isEnabled())) return false;
    this.note(`presses ${testid}`);
    if (restarts) this.known.renew();
    this.#clicks++;
    this.#silent = 0;
    this.#unoffered = 0;
    await button.click({ timeout: 20_000 });
    return true;
  }

  /** The page offers nothing: it must have the run in its list, at its end or to be gone on with. */
  async #seek({ page }: Tab): Promise<void> {
    if (!this.known.ready.openDevice || this.#unoffered++ < UNOFFERED) return;
    this.#unoffered = 0;
    await page.goto(`${this.world.site.url}#/runs/${this.known.runId}`);
    const run = page.getByTestId('run').first();
    await run.waitFor({ timeout: 60_000 });
    const status = await run.getAttribute('data-status');
    this.note(`found in the list: ${status}`);
    if (status === 'finished') this.known.finished = true;
    else if (!(await page.getByTestId('resume').first().isVisible())) throw new Fall(`The run is ${status} and not offered, though step ${this.known.savedStep} had been stored.`);
  }

  async #begin(tab: Tab): Promise<void> {
    const { page, train } = tab;
    const { ready } = this.known;
    if (!ready.openDevice || this.#waits()) return;
    if (!this.#settingsGiven) {
      await train.importSettings(this.config);
      this.#settingsGiven = true;
    } else if (!ready.loadModel) {
      const demo = page.getByTestId('model-demo').first();
      if (!(await demo.isVisible()) && !(await this.#press(tab, 'model-change'))) return;
      this.#ask('loadModel');
      await demo.click({ timeout: 20_000 });
    } else if (!ready.loadDataset) await this.#chooseData(tab);
    // A run that failed before anything was stored of it makes room for another.
    else if (!(await page.getByTestId('start').first().isVisible())) await this.#press(tab, 'new-run');
    else if (await this.#press(tab, 'start')) this.#ask('start');
  }

  async #chooseData(tab: Tab): Promise<null> {
    const folder = tab.page.getByTestId('train-folder').first();
    if (this.#waits() || (!(await folder.count()) && !(await this.#press(tab, 'data-change')))) return null;
    this.#ask('loadDataset');
    await folder.setInputFiles(this.folder, { timeout: 20_000 });
    return null;
  }

  /** What was asked for is not asked for again before its answer, but for one that got lost. */
  #waits(): boolean {
    return this.known.asked !== null && this.#unoffered++ < UNOFFERED;
  }

  #ask(request: NonNullable<Hearing['asked']>): void {
    this.note(`asks for ${request}`);
    this.known.asked = request;
    this.#clicks++;
    this.#unoffered = 0;
  }

  async #download({ page, train }: Tab): Promise<Record<string, Uint8Array>> {
    if (!(await page.getByTestId('download-run').first().isVisible())) await page.goto(`${this.world.site.url}#/runs/${this.known.runId}`);
    const files = unzipSync(await train.downloadRun());
    await page.goto(`${this.world.site.url}#/train`);
    return files;
  }
}

async function underWay({ page }: Tab): Promise<boolean> {
  const run = page.getByTestId('run').first();
  if (!(await run.isVisible())) return false;
  return ['preparing', 'running', 'validating', 'paused'].includes((await run.getAttribute('data-status', { timeout: 20_000 })) ?? '');
}
