/** How long a model keeps its user waiting: the first time, and once its quantised weights are kept. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ModelSummary } from '../../src/protocol/messages.ts';
import { HubServer } from '../../tests/hub/hub-server.ts';
import { processMemory } from '../browser/process-memory.ts';
import { openReal, type RealPage } from '../demo/real-page.ts';
import { watchStillness } from './stillness.ts';

const HUB = '/hub';
const ID = 'lorikeet/heavy';

/**
 * @param served the model is first downloaded from a hub on this machine
 * @returns rows of the table
 */
export async function playStarts(model: string, served: boolean): Promise<string[][]> {
  const browser = await openReal((text) => console.error(text), served ? hubOf(model).handle : undefined);
  const rows: string[][] = [];
  try {
    const opened = await browser.open();
    if (served) rows.push(['', 'downloaded, sums checked', ...(await watched(opened, () => opened.train.downloadModel(HUB, ID)))]);
    let told: () => void = () => undefined;
    const kept = new Promise<void>((resolve) => (told = resolve));
    void opened.until(({ type }) => type === 'kept').then(told);
    const started = performance.now();
    rows.push([
      '',
      'first start: read, quantised, on the GPU',
      ...(await watched(
        opened,
        async () => {
          const summary = await (served ? opened.train.chooseStoredModel() : opened.train.chooseModel(model));
          if (summary.keptWeights !== 'writing') told();
          return summary;
        },
        () => kept,
      )),
    ]);
    rows.push(['', 'the same, kept for the next start', `${((performance.now() - started) / 1000).toFixed(1)} s`, '', '']);
    await leave(opened);
    const again = await browser.open();
    rows.push(['', 'second start: read from what is kept', ...(await watched(again, () => again.train.chooseKeptModel()))]);
    rows[0][0] = model;
    return rows;
  } finally {
    await browser.close();
  }
}

function hubOf(model: string): HubServer {
  const files = new Map(readdirSync(model).map((name) => [name, readFileSync(join(model, name))]));
  return new HubServer(HUB, [{ id: ID, branches: { main: '0123456789abcdef0123456789abcdef01234567' }, files }]);
}

/** The page's process ends with its tab. */
async function leave({ page }: RealPage): Promise<void> {
  await page.context().newPage();
  await page.close();
}

/** Seconds until `act` ends, and until `then` does the longest stillness and the most memory of the page's process, beside that of the GPU's. */
async function watched({ page }: RealPage, act: () => Promise<ModelSummary | void>, then: () => Promise<void> = async () => undefined): Promise<string[]> {
  const before = await processMemory(page);
  const stillness = await watchStillness(page);
  const started = performance.now();
  await act();
  const seconds = (performance.now() - started) / 1000;
  await then();
  const [still, memory] = [await stillness(), await processMemory(page)];
  return [`${seconds.toFixed(1)} s`, `${still.toFixed(0)} ms`, `${memory.pageMost.toFixed(0)} MiB, GPU ${(memory.gpu - before.gpu).toFixed(0)} MiB more`];
}
