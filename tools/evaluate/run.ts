/**
 * npm run evaluate: has a whole set answered and measured through the very page and worker that people use, and leaves the files in a folder.
 * Exit code 0 when the figures are there, 1 when something failed, 130 when it was stopped with Ctrl-C: then they are of the samples so far.
 */
import { mkdirSync } from 'node:fs';
import { relative } from 'node:path';
import { unzipSync } from 'fflate';
import { formatDuration, formatTable, runCommandWith } from '../browser/command-line.ts';
import { ProgressView } from '../demo/progress.ts';
import { openReal } from '../demo/real-page.ts';
import { writeEntries, type Entry } from '../demo/unpack.ts';
import { EvaluatePage, stageSet } from './page.ts';
import { parseEvaluateOptions, USAGE, type EvaluateOptions } from './options.ts';
import { headlines } from './summary.ts';

async function evaluate(options: EvaluateOptions): Promise<number> {
  const view = new ProgressView(process.stdout);
  const browser = await openReal((text) => view.print(text));
  let interrupted = false;
  let evaluation: EvaluatePage | null = null;
  const onInterrupt = () => {
    if (interrupted || !evaluation) process.exit(130);
    interrupted = true;
    view.print('Stopping; the samples answered so far are measured. Ctrl-C again ends at once.');
    void evaluation.stop().catch(() => process.exit(130));
  };
  process.on('SIGINT', onInterrupt);
  try {
    const { page, train, until } = await browser.open();
    // Draws the news until the end of the process; nothing fits it.
    until((event) => {
      if (event.type !== 'evaluating' || event.total === 0) return false;
      const left = event.secondsLeft === null ? '' : `  ${formatDuration(event.secondsLeft)} left`;
      view.update(event.done / event.total, `${event.done}/${event.total} samples answered${left}`, event.done === event.total);
      return false;
    }).catch((error: unknown) => view.print(String(error)));
    await train.importSettings(options.config);
    await train.chooseModel(options.model);
    await train.chooseData(options.data && stageSet(options.data, browser.scratch), undefined);
    evaluation = new EvaluatePage(page);
    await evaluation.prepare(options);
    await evaluation.run();
    view.clear();
    const files: Entry[] = Object.entries(unzipSync(await evaluation.save('json')));
    files.push(['evaluation.html', await evaluation.save('html')], ['evaluation.csv', await evaluation.save('csv')]);
    writeEntries(files, options.out);
    for (const line of await evaluation.summary()) console.log(line);
    console.log(formatTable(headlines(files), `l${'r'.repeat(options.candidates.length)}`));
    console.log(`${files.length} files in ${relative(process.cwd(), options.out) || '.'}`);
    return interrupted ? 130 : 0;
  } finally {
    process.off('SIGINT', onInterrupt);
    await browser.close();
  }
}

await runCommandWith(parseEvaluateOptions, USAGE, (options) => {
  mkdirSync(options.out, { recursive: true });
  return evaluate(options);
});
