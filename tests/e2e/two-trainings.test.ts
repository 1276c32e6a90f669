/** Two trainings of the demo model on the real engine, one with a far too small learning rate: which is better is found in the comparison and in a report. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Page } from 'playwright';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseTrainingConfig } from '../../src/protocol/config.ts';
import { openReal, type RealBrowser } from '../../tools/demo/real-page.ts';
import { axeFaults, overflow } from './manners.ts';
import { prepareDataset } from '../../tools/demo/small-dataset.ts';

const STEPS = 4;
const settings = {
  r: 4, lora_alpha: 8, lora_dropout: 0, per_device_train_batch_size: 1, gradient_accumulation_steps: 2, max_steps: STEPS, logging_steps: 1, eval_steps: STEPS,
  eval_num_samples: 2, eval_batch_size: 2, max_new_tokens: 8, save_steps: 0, max_length: 512, max_image_size: 0,
};
const RATES = [2e-3, 1e-6];

const faults: string[] = [];
const losses: number[] = [];
let browser: RealBrowser;
let page: Page;

beforeAll(async () => {
  browser = await openReal((text) => faults.push(text));
  const folder = prepareDataset(join(browser.scratch, 'samples'), { 'sft_train.json': 5, 'sft_val.json': 2 });
  const opened = await browser.open();
  page = opened.page;
  await opened.train.chooseModel(undefined);
  await page.getByTestId('train-folder').setInputFiles(folder);
  await page.getByTestId('plan-card').waitFor({ timeout: 120_000 });
  for (const learning_rate of RATES) {
    if (losses.length > 0) await page.getByTestId('new-run').click();
    await opened.train.importSettings(parseTrainingConfig({ ...settings, learning_rate }));
    const ended = opened.until((event) => event.type === 'finished');
    await opened.train.start();
    const event = await ended;
    if (event.type === 'finished') losses.push(event.log.val_history.at(-1)?.eval_loss as number);
  }
}, 300_000);

afterAll(() => browser?.close());

/** Walks there by the tabulator key, as somebody without a mouse does. */
async function tabTo(testid: string, key: 'Tab' | 'Shift+Tab' = 'Tab'): Promise<void> {
  for (let i = 0; i < 60; i += 1) {
    if (await page.evaluate((wanted) => document.activeElement?.getAttribute('data-testid') === wanted, testid)) return;
    await page.keyboard.press(key);
  }
  throw new Error(`60 times ${key} do not lead to ${testid}.`);
}

describe('two trainings', () => {
  it('are told apart by keyboard alone: in the comparison, in a report opened from disk, and in both languages', async () => {
    expect(losses[0]).toBeLessThan(losses[1] - 0.1);
    await tabTo('nav-compare');
    await page.keyboard.press('Enter');
    await page.getByTestId('run-picker').waitFor();
    await tabTo('choose-all');
    await page.keyboard.press('Enter');
    const cells = page.getByTestId('bestValidation-loss').locator('td');
    await cells.nth(1).waitFor();
    // The newest run is listed, and so chosen, first.
    expect(await cells.nth(1).innerText()).toMatch(new RegExp(`${losses[0].toFixed(3).slice(0, 5)}.*best`, 's'));
    expect(await cells.nth(0).innerText()).not.toContain('best');
    expect(await page.getByTestId('diff-learning_rate').innerText()).toMatch(/1e-0?6[\s\S]*0\.002/);

    await tabTo('export-html', 'Shift+Tab');
    const [download] = await Promise.all([page.waitForEvent('download'), page.keyboard.press('Enter')]);
    const file = join(browser.scratch, 'report.html');
    writeFileSync(file, readFileSync(await download.path()));
    const report = await page.context().newPage();
    const asked: string[] = [];
    report.on('request', (request) => asked.push(request.url()));
    await report.goto(pathToFileURL(file).href);
    // The comparison calls the validation loss "loss"; the sections of single runs, which mark each one's own best step, "eval_loss".
    const marked = await report.locator('tr', { has: report.locator('th', { hasText: /^loss$/ }) }).locator('td.best').allInnerTexts();
    expect(marked).toContain(losses[0].toFixed(4));
    expect(marked.filter((text) => text.includes(losses[1].toFixed(4)))).toEqual([]);
    expect(await report.locator('svg.chart').count()).toBeGreaterThan(4);
    expect(asked).toEqual([pathToFileURL(file).href]);
    await report.close();

    await tabTo('language', 'Shift+Tab');
    await page.keyboard.press('Enter');
    expect(await page.locator('h1').innerText()).toBe('比较');
    expect(await cells.nth(1).innerText()).toContain('最佳');
  }, 60_000);

  it('stay readable on a phone, without a fault of accessibility', async () => {
    await page.setViewportSize({ width: 360, height: 740 });
    await page.getByTestId('answer-pair').first().waitFor();
    expect(await overflow(page)).toBeLessThanOrEqual(0);
    expect(await axeFaults(page)).toEqual([]);
    expect(faults).toEqual([]);
  }, 30_000);
});
