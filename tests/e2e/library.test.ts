/** The library of runs, with a fake trainer. */
import { readFileSync } from 'node:fs';
import { unzipSync, zipSync } from 'fflate';
import type { Page } from 'playwright';
import { describe, expect, it } from 'vitest';
import { useFakePage } from './visit.ts';

const site = useFakePage();

const visit = (stepMs: number, body: (page: Page) => Promise<void>) => site.visit(body, { scenario: { stepMs } });

/** Loads the demo with short runs. */
async function prepare(page: Page, settings: Record<string, unknown>): Promise<void> {
  // Model and data stay loaded after a run.
  if ((await page.getByTestId('start').count()) === 0) {
    await page.getByTestId('model-demo').click();
    await page.getByTestId('data-demo').click();
  }
  const buffer = Buffer.from(JSON.stringify({ max_steps: 6, eval_steps: 3, save_steps: 3, eval_on_start: false, ...settings }));
  await page.getByTestId('import-settings').setInputFiles({ name: 's.json', mimeType: 'application/json', buffer });
  await page.getByTestId('start').waitFor();
}

/** Waits until a part of the page shows a picture that the browser could read. */
async function pictureShown(page: Page, part: string): Promise<void> {
  const image = page.getByTestId(part).locator('img').first();
  await image.scrollIntoViewIfNeeded();
  await image.evaluate((element: HTMLImageElement) => element.decode());
  expect(await image.evaluate((element: HTMLImageElement) => element.naturalWidth)).toBeGreaterThan(1);
}

const names = (page: Page) => page.getByTestId('run-open').allInnerTexts();

describe('the library of runs', () => {
  it('keeps tags and notes, finds runs by words, tags and settings, and takes settings over', async () => {
    await visit(4, async (page) => {
      for (const [name, rate] of [['Slow', 0.0001], ['Quick', 0.003]] as const) {
        await prepare(page, { learning_rate: rate });
        await page.getByTestId('run-name').fill(name);
        await page.getByTestId('start').click();
        await page.locator('[data-testid="run"][data-status="finished"]').waitFor();
        await page.getByTestId('new-run').click();
      }
      await page.getByTestId('nav-runs').click();
      expect(await names(page)).toEqual(['Quick', 'Slow']);
      await page.getByTestId('run-details').last().click();
      await page.getByTestId('add-tag').fill('baseline, first week');
      await page.getByTestId('add-tag').press('Enter');
      await page.getByTestId('run-notes').fill('Too careful.');
      await page.getByTestId('run-notes').blur();
      await page.getByTestId('tag-filter').getByText('first week').waitFor();
      await page.reload();
      await page.getByTestId('tag-filter').getByText('first week').click();
      expect(await names(page)).toEqual(['Slow']);
      await page.getByTestId('tag-filter').getByText('first week').click();

      const search = page.getByTestId('search-runs');
      for (const [query, wanted] of [['careful', ['Slow']], ['learning_rate>1e-3', ['Quick']], ['zebra', []], ['', ['Quick', 'Slow']]] as const) {
        await search.fill(query);
        expect(await names(page), query).toEqual(wanted);
      }
      await page.getByTestId('sort-name').focus();
      await page.keyboard.press('Enter');
      await page.keyboard.press('Enter');
      expect(await names(page)).toEqual(['Slow', 'Quick']);
      expect(await page.getByTestId('storage-used').innerText()).toMatch(/2 runs · they take \d.* [kM]B/);

      await page.getByTestId('run-details').first().click();
      await page.getByTestId('run-duplicate').click();
      await page.getByTestId('open-settings').click();
      expect(await page.locator('#setting-learning_rate').inputValue()).toBe('1e-4');
    });
  });

  it('exports a run, deletes it, and takes it back whole', async () => {
    await visit(4, async (page) => {
      await prepare(page, {});
      await page.getByTestId('run-name').fill('Traveller');
      await page.getByTestId('start').click();
      await page.locator('[data-testid="run"][data-status="finished"]').waitFor();
      await page.getByTestId('nav-runs').click();
      await page.getByTestId('run-details').click();
      await page.getByTestId('add-tag').fill('packed');
      await page.getByTestId('add-tag').press('Enter');
      await page.getByTestId('tag-filter').getByText('packed').waitFor();
      const [file] = await Promise.all([page.waitForEvent('download'), page.getByTestId('run-export').click()]);
      const bytes = readFileSync(await file.path());
      expect(JSON.parse(new TextDecoder().decode(unzipSync(bytes)['lorikeet_run.json']))).toMatchObject({ name: 'Traveller', tags: ['packed'] });
      await page.getByTestId('run-delete').click();
      await page.getByTestId('runs-empty').waitFor();

      await page.getByTestId('import-run').setInputFiles({ name: 'broken.zip', mimeType: 'application/zip', buffer: Buffer.from('PK') });
      await page.locator('[data-testid="error-box"][data-code="file-corrupt"]').waitFor();
      await page.getByTestId('import-run').setInputFiles({ name: 'run.zip', mimeType: 'application/zip', buffer: bytes });
      await page.getByTestId('run-open').waitFor();
      expect(await page.getByTestId('error-box').count()).toBe(0);
      expect(await page.getByTestId('tag-filter').innerText()).toContain('packed');
      await page.getByTestId('run-open').click();
      await page.getByTestId('summary').waitFor();
      expect(await page.getByTestId('answers').locator('li').count()).toBeGreaterThan(0);
      await pictureShown(page, 'answers');
    });
  });

  it('takes sampled answers and their pictures back, and opens the same ZIP as a log', async () => {
    await visit(4, async (page) => {
      await prepare(page, { method: 'grpo', per_device_train_batch_size: 4, gradient_accumulation_steps: 1, num_generations: 4, max_steps: 4, eval_steps: 2 });
      await page.getByTestId('start').click();
      await page.locator('[data-testid="run"][data-status="finished"]').waitFor();
      await pictureShown(page, 'completions');
      const shown = await page.getByTestId('completion-group').first().innerText();
      await page.getByTestId('nav-runs').click();
      await page.getByTestId('run-details').click();
      const [file] = await Promise.all([page.waitForEvent('download'), page.getByTestId('run-export').click()]);
      const bytes = readFileSync(await file.path());
      const files = unzipSync(bytes);
      expect(Object.keys(files)).toEqual(expect.arrayContaining(['completions/completions_00004.jsonl', 'pictures/answer-0.png']));
      await page.getByTestId('run-delete').click();
      await page.getByTestId('runs-empty').waitFor();

      const sample = Object.keys(files).find((path) => path.startsWith('pictures/sample-')) ?? '';
      const harmful = zipSync({ ...files, [sample]: new TextEncoder().encode('<svg xmlns="http://www.w3.org/2000/svg"/>') });
      await page.getByTestId('import-run').setInputFiles({ name: 'harmful.zip', mimeType: 'application/zip', buffer: Buffer.from(harmful) });
      await page.locator('[data-testid="error-box"][data-code="file-corrupt"]').getByText(sample).first().waitFor();
      expect(await page.getByTestId('run-open').count()).toBe(0);
      await page.getByTestId('import-run').setInputFiles({ name: 'run.zip', mimeType: 'application/zip', buffer: bytes });
      await page.getByTestId('run-open').click();
      await page.getByTestId('completions-step').getByText('step 4').waitFor();
      for (const part of ['completions', 'answers']) await pictureShown(page, part);
      expect(await page.getByTestId('completion-group').first().innerText()).toBe(shown);

      await page.getByTestId('nav-runs').click();
      await page.getByTestId('logs-files').setInputFiles({ name: 'as-log.zip', mimeType: 'application/zip', buffer: bytes });
      await page.getByTestId('imported-row').getByText('as-log').waitFor();
    });
  });
});
