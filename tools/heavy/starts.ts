/** How long a model folder keeps its user waiting: the first time, and once its quantised weights are kept. */
import { processMemory } from '../browser/process-memory.ts';
import { openReal, type RealPage } from '../demo/real-page.ts';
import { watchStillness } from './stillness.ts';

/** @returns rows of the table */
export async function playStarts(model: string): Promise<string[][]> {
  const browser = await openReal((text) => console.error(text));
  try {
    const first = await timed(await browser.open(), (real) => real.train.chooseModel(model));
    const second = await timed(await browser.open(), (real) => real.train.chooseKeptModel());
    return [
      [model, 'first start: read, quantised, on the GPU, kept', ...first],
      ['', 'second start: read from what is kept', ...second],
    ];
  } finally {
    await browser.close();
  }
}

/** Seconds, longest stillness, and the most memory of the page's process beside that of the GPU's. The tab is closed. */
async function timed(real: RealPage, choose: (real: RealPage) => Promise<void>): Promise<string[]> {
  const { page } = real;
  const before = await processMemory(page);
  const stillness = await watchStillness(page);
  const started = performance.now();
  await choose(real);
  const seconds = (performance.now() - started) / 1000;
  const [still, memory] = [await stillness(), await processMemory(page)];
  await page.context().newPage();
  await page.close();
  return [`${seconds.toFixed(1)} s`, `${still.toFixed(0)} ms`, `${memory.pageMost.toFixed(0)} MiB, GPU ${(memory.gpu - before.gpu).toFixed(0)} MiB more`];
}
