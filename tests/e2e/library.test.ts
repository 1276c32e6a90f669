/** The library of runs and sweeps, with a fake trainer. */
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
      expect(await page.getByTestId('completion-group').first().innerText()).toBe(shown);
      for (const part of ['completions', 'answers']) await pictureShown(page, part);

      await page.getByTestId('nav-runs').click();
      await page.getByTestId('logs-files').setInputFiles({ name: 'as-log.zip', mimeType: 'application/zip', buffer: bytes });
      await page.getByTestId('imported-row').getByText('as-log').waitFor();
    });
  });
});

describe('a sweep', () => {
  it('trains its runs one after the other, goes on after a reload, and shows table and plot', async () => {
    await visit(12, async (page) => {
      await prepare(page, { max_steps: 10, eval_steps: 5, save_steps: 2 });
      await page.goto(`${site.url}#/runs/sweep`);
      await page.getByTestId('sweep-name').fill('rates');
      const values = page.getByTestId('values-learning_rate');
      await values.fill('1e-4, fast');
      expect(await page.getByTestId('axis-learning_rate').innerText()).toContain('not a number');
      expect(await page.getByTestId('sweep-start').isDisabled()).toBe(true);
      await values.fill('1e-4, 1e-3, 1e-2');
      await page.getByTestId('sweep-plan').getByText('3 runs, about').waitFor();
      await page.getByTestId('sweep-start').click();
      await page.getByTestId('sweep').getByText('1 of 3 runs').waitFor({ timeout: 30_000 });
      await page.reload();

      await page.getByTestId('nav-runs').click();
      await page.getByTestId('sweep-continue-note').click();
      await page.locator('[data-testid="sweep"][data-state="finished"]').waitFor({ timeout: 60_000 });
      expect(await page.getByTestId('sweep-row').count()).toBe(3);
      expect(await page.getByTestId('sweep-best').count()).toBe(1);
      expect(await page.getByTestId('sweep-table').innerText()).not.toContain('failed');
      await page.getByTestId('sweep-sort-setting-learning_rate').click();
      await page.getByTestId('sweep-sort-setting-learning_rate').click();
      expect(await page.getByTestId('sweep-row').first().innerText()).toContain('0.01');

      expect(await page.getByTestId('plot-line').count()).toBe(3);
      await page.getByTestId('handle-learning_rate-0').focus();
      for (let i = 0; i < 4; i++) await page.keyboard.press('ArrowUp');
      expect(await page.getByTestId('plot-kept').innerText()).toBe('2 of 3 runs');
      await page.keyboard.press('Escape');
      const box = await page.getByTestId('brush-learning_rate').boundingBox();
      if (!box) throw new Error('The axis is not on the page.');
      await page.mouse.move(box.x + box.width / 2, box.y + box.height - 2);
      await page.mouse.down();
      await page.mouse.move(box.x + box.width / 2, box.y + box.height * 0.8, { steps: 4 });
      await page.mouse.up();
      expect(await page.getByTestId('plot-kept').innerText()).toBe('1 of 3 runs');

      await page.getByTestId('nav-runs').click();
      await page.getByTestId('tag-filter').getByText('rates').click();
      expect(await names(page)).toHaveLength(3);
    });
  });
});
