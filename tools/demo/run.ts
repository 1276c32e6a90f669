/**
 * npm run demo: trains in headless Chromium through the very page and worker that people use, and leaves the run in a folder.
 * Exit code 0 when the run finished, 1 when something failed, 130 when it was stopped with Ctrl-C.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import type { TrainingLog, TrainRow } from '../../src/protocol/log.ts';
import type { DatasetSummary, TrainerEvent } from '../../src/protocol/messages.ts';
import { englishStages } from '../../src/protocol/sayings.ts';
import { runCommandWith } from '../browser/command-line.ts';
import { ensureBuild } from '../browser/ensure-build.ts';
import { openBrowser } from '../browser/open.ts';
import { servePage } from '../browser/serve.ts';
import { MemoryWatch } from './memory.ts';
import { parseDemoOptions, USAGE } from './options.ts';
import type { DemoOptions } from './options.ts';
import { describeError, describeProblem, PageError, TrainPage } from './page.ts';
import { formatStep, formatValidation, ProgressView } from './progress.ts';
import { formatSummary } from './summary.ts';
import { tapWorker } from './tap.ts';
import { unpackRun } from './unpack.ts';

/** A worker that says nothing for this long is taken for dead. */
const SILENCE_MS = 15 * 60_000;

/** Faults of a dataset that are listed at the start. */
const SHOWN_PROBLEMS = 10;

/** A stopped run finishes too: with what it has. */
type Ending = 'finished' | 'failed';

/** Shows the worker's news and knows when the run has ended. */
class RunWatch {
  readonly ended: Promise<Ending>;
  error: string | undefined;
  lastNews = Date.now();
  #end: (ending: Ending) => void = () => undefined;
  #row: TrainRow | null = null;
  #step = 0;
  #totalSteps = 0;
  #secondsLeft: number | null = null;

  constructor(private readonly view: ProgressView) {
    this.ended = new Promise((resolve) => (this.#end = resolve));
  }

  hear(event: TrainerEvent): void {
    this.lastNews = Date.now();
    switch (event.type) {
      case 'progress':
        this.#showTask(englishStages[event.stage], event.total > 0 ? event.done / event.total : 0);
        break;
      case 'train':
        this.#row = event.row;
        this.#step = event.row.step;
        this.#draw(true);
        break;
      case 'status':
        this.#step = event.step;
        this.#totalSteps = event.totalSteps;
        this.#secondsLeft = event.secondsLeft;
        if (event.status === 'running') this.#draw(false);
        break;
      case 'validation':
        this.view.print(formatValidation(event.row));
        break;
      case 'saved':
        this.view.print(`saved at step ${event.step}`);
        break;
      case 'notice':
        this.view.print(`${event.notice.level}: ${event.notice.message}`);
        break;
      case 'finished':
        this.#end('finished');
        break;
      case 'failed':
        this.error = describeError(event.error);
        this.#end('failed');
        break;
    }
  }

  fail(text: string): void {
    this.error = text;
    this.#end('failed');
  }

  #showTask(text: string, share: number): void {
    this.view.update(share, `${text} ${Math.floor(share * 100)} %`, false);
  }

  #draw(matters: boolean): void {
    if (this.#totalSteps > 0) {
      this.view.update(this.#step / this.#totalSteps, formatStep(this.#step, this.#totalSteps, this.#row, this.#secondsLeft), matters);
    }
  }
}

function showDataset(view: ProgressView, data: DatasetSummary): void {
  view.print(`${data.trainSamples} training and ${data.validationSamples} validation samples, ${data.rejected} left out`);
  for (const problem of data.problems.slice(0, SHOWN_PROBLEMS)) view.print(`  ${describeProblem(problem)}`);
  if (data.problemCount > SHOWN_PROBLEMS) view.print(`  and ${data.problemCount - SHOWN_PROBLEMS} more`);
}

async function train(options: DemoOptions, startedAt: number): Promise<number> {
  const view = new ProgressView(process.stdout);
  const watch = new RunWatch(view);
  const scratch = mkdtempSync(join(tmpdir(), 'lorikeet-demo-'));
  const server = await servePage(await ensureBuild());
  let browser: Awaited<ReturnType<typeof openBrowser>> | undefined;
  let interrupted = false;
  const stillness = setInterval(() => {
    if (Date.now() - watch.lastNews > SILENCE_MS) watch.fail(`The trainer has said nothing for ${SILENCE_MS / 60_000} minutes.`);
  }, 10_000);
  const onInterrupt: { handler: () => void } = { handler: () => process.exit(130) };
  const relay = () => onInterrupt.handler();
  process.on('SIGINT', relay);

  try {
    browser = await openBrowser((text) => {
      view.print(text);
      if (text.startsWith('The page crashed')) watch.fail(text);
    });
    const page = new TrainPage(browser.page, scratch);
    const memory = options.memory ? new MemoryWatch(browser.page) : null;
    await tapWorker(browser.page, (heard) => {
      if (heard.kind === 'event') watch.hear(heard.event);
      if (heard.kind === 'event' && heard.event.type === 'train') memory?.hear(heard.event.row);
      page.hear(heard);
    });
    const crashed = watch.ended.then((ending) => {
      if (ending === 'failed') throw new PageError(watch.error);
    });
    const step = <T>(work: Promise<T>): Promise<T> => Promise.race([work, crashed.then(() => work)]);

    view.print(`Chromium ${browser.version}, page at ${server.url}`);
    await step(page.open(server.url));
    await step(page.importSettings(options.config));
    await step(page.chooseModel(options.model));
    showDataset(view, await step(page.chooseData(options.train, options.val, options.data)));
    if (options.adapter) await step(page.chooseAdapter(options.adapter));
    await step(page.start());
    onInterrupt.handler = () => {
      if (interrupted) process.exit(130);
      interrupted = true;
      view.print('Stopping after this step; the run so far is kept. Ctrl-C again ends at once.');
      page.stop().catch((error: Error) => watch.fail(error.message));
    };

    const ending = await watch.ended;
    view.clear();
    if (ending === 'failed') throw new PageError(watch.error);
    await memory?.write(options.out);
    const files = unpackRun(await page.downloadRun(), options.out);
    const log = JSON.parse(readFileSync(join(options.out, 'training_log.json'), 'utf8')) as TrainingLog;
    console.log(formatSummary(log, (Date.now() - startedAt) / 1000, `${relative(process.cwd(), options.out) || '.'} (${files.length} files)`));
    return interrupted ? 130 : 0;
  } catch (error) {
    view.clear();
    const shown = browser ? await new TrainPage(browser.page, scratch).visibleErrors().catch(() => '') : '';
    if (error instanceof PageError) {
      console.error(`The run failed: ${error.message}`);
      return 1;
    }
    if (shown !== '') console.error(`The page says: ${shown}`);
    throw error;
  } finally {
    clearInterval(stillness);
    process.off('SIGINT', relay);
    await browser?.close();
    await server.close();
    rmSync(scratch, { recursive: true, force: true });
  }
}

await runCommandWith(parseDemoOptions, USAGE, (options) => {
  const startedAt = Date.now();
  mkdirSync(options.out, { recursive: true });
  return train(options, startedAt);
});
