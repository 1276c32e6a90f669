/** A merged checkpoint, opened again on the page with the real engine, answers without an adapter what base and adapter answered before. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { unzipSync } from 'fflate';
import type { Page } from 'playwright';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parseTrainingConfig } from '../../src/protocol/config.ts';
import { openReal, type RealBrowser } from '../../tools/demo/real-page.ts';
import { prepareDataset } from '../../tools/demo/small-dataset.ts';

const QUESTIONS = 3;

const faults: string[] = [];
let browser: RealBrowser;

beforeAll(async () => {
  browser = await openReal((text) => faults.push(text));
});
afterAll(() => browser?.close());

/** Asks sample after sample of the data. @returns what the panel of that side answers, by sample */
async function answers(page: Page, side: 'left' | 'right'): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  while (Object.keys(found).length < QUESTIONS) {
    const origin = page.getByTestId('question-origin');
    const before = (await origin.count()) > 0 ? await origin.innerText() : null;
    await page.getByTestId('question-next').click();
    await expect.poll(async () => ((await origin.count()) > 0 ? origin.innerText() : null)).not.toBe(before);
    await page.getByTestId('ask').click();
    const panel = page.getByTestId(`answer-${side}`);
    await page.getByTestId('stop-generating').waitFor();
    await page.getByTestId('ask').waitFor({ timeout: 120_000 });
    found[await origin.innerText()] = await panel.getByTestId('answer-text').innerText();
  }
  return found;
}

it('gives the adapter’s answers with the adapter off', async () => {
  const { page, train, until } = await browser.open();
  const folder = prepareDataset(join(browser.scratch, 'samples'), { 'sft_train.json': 4, 'sft_val.json': QUESTIONS });
  await train.importSettings(
    parseTrainingConfig({ load_in_4bit: false, learning_rate: 1e-6, lr_scheduler_type: 'constant', per_device_train_batch_size: 1, gradient_accumulation_steps: 1, max_steps: 1, eval_steps: 0, save_steps: 0 }),
  );
  await train.chooseModel(undefined);
  await page.getByTestId('train-folder').setInputFiles(folder);
  await page.getByTestId('plan-card').waitFor({ timeout: 120_000 });
  await train.chooseAdapter({ kind: 'demo' });
  const ended = until((event) => event.type === 'finished');
  await train.start();
  await ended;
  await page.evaluate(() => Object.defineProperty(window, 'showDirectoryPicker', { value: undefined }));
  const [download] = await Promise.all([page.waitForEvent('download', { timeout: 60_000 }), page.getByTestId('download-merged').click()]);
  const merged = join(browser.scratch, 'merged');
  mkdirSync(merged);
  for (const [path, bytes] of Object.entries(unzipSync(readFileSync(await download.path())))) writeFileSync(join(merged, basename(path)), bytes);

  await page.getByTestId('nav-try').click();
  const adapted = await answers(page, 'right');
  const base = await page.getByTestId('answer-left').getByTestId('answer-text').innerText();

  await page.getByTestId('nav-train').click();
  await page.getByTestId('new-run').click();
  await page.getByTestId('model-change').click();
  await train.chooseModel(merged);
  await page.getByTestId('nav-try').click();
  await page.getByTestId('one-side').click();
  await page.getByTestId('side-left').selectOption('');
  expect(await answers(page, 'left')).toEqual(adapted);
  expect(Object.values(adapted)).not.toContain(base);
  expect(faults).toEqual([]);
}, 300_000);
