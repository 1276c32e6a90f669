/** Walks through opened logs, the run view and the comparison, without a GPU. */
import { readFileSync } from 'node:fs';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { BrowserContextOptions, Page } from 'playwright';
import { describe, expect, it } from 'vitest';
import { axeFaults, overflow } from './manners.ts';
import { useFakePage } from './visit.ts';

const fixture = (name: string) => fileURLToPath(new URL(`../fixtures/logs/${name}`, import.meta.url));

const site = useFakePage();

const visit = (view: string, body: (page: Page) => Promise<void>, context: BrowserContextOptions = {}) => site.visit(body, { view, scenario: { stepMs: 4 }, context });

/** Picks logs; each file is a run of its own. */
async function open(page: Page, ...names: string[]): Promise<void> {
  await page.getByTestId('logs-files').setInputFiles(names.map(fixture));
}

async function download(page: Page, testid: string): Promise<string> {
  const [file] = await Promise.all([page.waitForEvent('download'), page.getByTestId(testid).click()]);
  return readFileSync(await file.path(), 'utf8');
}

/** Starts a run with settings of its own. */
async function start(page: Page, changes: Record<string, unknown>, method = 'sft'): Promise<void> {
  await page.goto(`${site.url}#/train`);
  await page.getByTestId('new-run').or(page.getByTestId('model-demo')).or(page.getByTestId('start')).first().waitFor();
  for (const testid of ['new-run', 'model-demo', 'data-demo']) if (await page.getByTestId(testid).isVisible()) await page.getByTestId(testid).click();
  await page.getByTestId(`method-${method}`).click();
  const settings = { method, max_steps: 12, eval_steps: 6, save_steps: 0, ...changes };
  await page.getByTestId('import-settings').setInputFiles({ name: 's.json', mimeType: 'application/json', buffer: Buffer.from(JSON.stringify(settings)) });
  await page.getByTestId('start').click();
}

/** Trains with settings of its own; returns when the run has ended. */
async function train(page: Page, changes: Record<string, unknown>, method = 'sft'): Promise<void> {
  await start(page, changes, method);
  await page.locator('[data-testid="run"][data-status="finished"]').waitFor({ timeout: 60_000 });
}

describe('opened logs', () => {
  it('of two trainers show the right numbers, are compared, and come out as one report that opens from disk', async () => {
    await visit('runs', async (page) => {
      await open(page, 'original-sft/training_log.json', 'hf/checkpoint-300/trainer_state.json');
      await page.getByTestId('imported-row').nth(1).waitFor();
      await page.getByTestId('imported-open').filter({ hasText: 'training_log' }).click();
      expect(await page.getByTestId('value-loss').innerText()).toContain('0.880');
      expect(await page.getByTestId('fact-best').innerText()).toContain('step 40');
      expect(await page.getByTestId('run-facts').innerText()).toContain('2.00e-05');
      await page.getByTestId('statistics').locator('summary').click();
      expect(await page.getByTestId('statistics-train-loss').innerText()).toContain('1.215');

      await page.getByTestId('compare-this').click();
      await page.getByTestId('compare-choose').waitFor();
      await page.getByTestId('choose-run').and(page.locator(':not(:checked)')).check();
      const cells = page.getByTestId('bestValidation-loss').locator('td');
      await cells.nth(1).waitFor();
      expect(await cells.nth(0).innerText()).toMatch(/0\.902.*best/s);
      expect(await cells.nth(1).innerText()).toMatch(/^1\.420\s*@200$/);
      expect(await page.getByTestId('settings-diff').innerText()).toContain('num_epochs');
      await page.getByTestId('diff-search').fill('learning');
      expect(await page.getByTestId('diff-learning_rate').innerText()).toContain('2e-05');

      const html = await download(page, 'export-html');
      await page.getByTestId('language').click();
      expect(await download(page, 'export-html')).toMatch(/<html lang="zh-CN">[^]*<h1>训练比较报告<\/h1>/);
      const file = join(await mkdtemp(join(tmpdir(), 'lorikeet-report-')), 'report.html');
      await writeFile(file, html);
      await page.goto(pathToFileURL(file).href);
      expect(await page.locator('h1').innerText()).toBe('Training Comparison Report');
      expect(await page.locator('svg.chart').count()).toBeGreaterThan(4);
      expect(await page.locator('td.best').first().innerText()).toContain('0.9021');
    });
  });

  it('that are damaged or hostile are shown as far as they go, and survive a reload, a deletion and its undoing', async () => {
    await visit('runs', async (page) => {
      await open(page, 'truncated.json', 'hostile.json', '../schedules/schedules.json');
      await page.getByTestId('imported-row').nth(1).waitFor();
      expect(await page.getByTestId('error-box').getAttribute('data-code')).toBe('file-corrupt');
      await page.reload();
      await page.getByTestId('imported-open').filter({ hasText: 'hostile' }).click();
      await page.getByTestId('run-facts').waitFor();
      expect(await page.locator('main script').count()).toBe(0);
      await page.goBack();
      await page.getByTestId('imported-open').filter({ hasText: 'truncated' }).click();
      expect(await page.getByTestId('log-note').first().innerText()).toContain('breaks off');
      await page.goBack();
      await page.getByTestId('imported-delete').first().click();
      await expect.poll(() => page.getByTestId('imported-row').count()).toBe(1);
      await page.getByTestId('undo').click();
      await expect.poll(() => page.getByTestId('imported-row').count()).toBe(2);
    });
  });

  it('are read by keyboard, on every axis, in files and in a table', async () => {
    await visit('runs', async (page) => {
      await open(page, 'lorikeet/training_log.json');
      await page.getByTestId('imported-open').click();
      await page.getByTestId('run-facts').waitFor();
      await page.getByTestId('curve-loss').locator('canvas').waitFor();
      // A pointer that rests over a chart moves its crosshair.
      await page.mouse.move(0, 0);
      expect(await page.getByTestId('curve-loss').getByRole('application').getAttribute('aria-label')).toMatch(/loss: chart\. training, last value [\d.]+\./);
      await page.getByTestId('curve-loss').getByRole('application').focus();
      await page.keyboard.press('End');
      expect(await page.getByTestId('curve-readout-loss').innerText()).toContain('step 3');
      await page.keyboard.press('ArrowLeft');
      expect(await page.getByTestId('curve-readout-loss').innerText()).toContain('step 2');
      await page.keyboard.press('+');
      await page.getByTestId('curve-reset').waitFor();
      await page.keyboard.press('0');
      expect(await page.getByTestId('curve-reset').count()).toBe(0);
      for (const axis of ['epoch', 'samples', 'tokens', 'relative', 'wall', 'step']) {
        await page.getByTestId(`curve-axis-${axis}`).click();
        expect(await page.getByTestId('curve-loss').locator('canvas').count(), axis).toBe(1);
      }
      await page.getByTestId('curve-log-y').check();
      await page.getByTestId('curve-outliers').check();
      await page.getByTestId('curve-twema').click();
      await page.getByTestId('curve-search').fill('grad');
      await expect.poll(() => page.locator('[data-testid^="curve-"] canvas').count()).toBe(1);
      await page.getByTestId('curve-search').fill('');
      await page.getByTestId('curve-loss').getByTestId('curve-menu').click();
      const [svg] = await Promise.all([page.waitForEvent('download'), page.getByTestId('curve-svg').and(page.locator(':visible')).click()]);
      expect(readFileSync(await svg.path(), 'utf8')).toContain('<svg');
      await page.getByTestId('curve-loss').getByTestId('curve-menu').click();
      const [png] = await Promise.all([page.waitForEvent('download'), page.getByTestId('curve-png').and(page.locator(':visible')).click()]);
      expect(readFileSync(await png.path()).subarray(1, 4).toString()).toBe('PNG');
      await page.getByTestId('curve-loss').getByTestId('curve-menu').click();
      await page.getByTestId('curve-as-table').and(page.locator(':visible')).click();
      expect(await page.getByTestId('curve-table').locator('tbody tr').count()).toBe(4);
    });
  });
});

describe('two runs of this page', () => {
  it('show which is better, grouped or not, with their answers side by side', async () => {
    await visit('train', async (page) => {
      await train(page, { learning_rate: 0.002 });
      await train(page, { learning_rate: 0.01 });
      await page.getByTestId('nav-compare').click();
      await page.getByTestId('choose-all').click();
      const cells = page.getByTestId('bestValidation-loss').locator('td');
      await cells.nth(1).waitFor();
      const texts = await cells.allInnerTexts();
      expect(texts.filter((text) => text.includes('best'))).toHaveLength(1);
      expect(texts.find((text) => text.includes('best'))).toContain('0.645');
      expect(await page.getByTestId('settings-diff').locator('tbody tr').count()).toBeLessThan(4);
      expect(await page.getByTestId('diff-learning_rate').innerText()).toContain('0.002');
      const legend = page.getByTestId('compare-legend').locator('button');
      expect(await legend.count()).toBe(2);
      await legend.first().click();
      expect(await legend.first().getAttribute('aria-pressed')).toBe('false');
      await legend.first().click();
      await page.getByTestId('group-by').selectOption('seeds');
      expect(await legend.count()).toBe(2);
      await page.getByTestId('group-by').selectOption('setting:learning_rate');
      expect(await legend.first().innerText()).toContain('learning_rate = ');
      expect(await page.getByTestId('answer-pair').count()).toBe(6);
      await page.getByTestId('answers-step').selectOption('6');
      await page.getByTestId('answer-pair').first().locator('img').first().scrollIntoViewIfNeeded();
      expect(await page.getByTestId('answer-pair').first().locator('.box').count()).toBeGreaterThan(0);
      const faults = { compare: await axeFaults(page) } as Record<string, string[]>;

      await page.goto(`${site.url}#/runs`);
      await page.getByTestId('run-open').first().click();
      await page.getByTestId('run-facts').waitFor();
      expect(await page.getByTestId('value-eval_loss').innerText()).toContain('validation');
      faults.run = await axeFaults(page);
      for (const view of ['train', 'runs', 'try', 'data', 'models']) {
        await page.goto(`${site.url}#/${view}`);
        await page.waitForTimeout(200);
        faults[view] = await axeFaults(page);
      }
      expect(faults).toEqual({ compare: [], run: [], train: [], runs: [], try: [], data: [], models: [] });
    });
  });
});

describe('two runs that sample', () => {
  it('show their answers to the same prompt at the same step, and what only one of them drew', async () => {
    await visit('train', async (page) => {
      await train(page, { learning_rate: 0.002 }, 'grpo');
      await train(page, { learning_rate: 0.01, num_generations: 2 }, 'grpo');
      await page.getByTestId('nav-compare').click();
      await page.getByTestId('choose-all').click();
      const both = page.getByTestId('compare-completions');
      await both.getByTestId('completion-pair').first().waitFor();
      expect(await both.getByTestId('completions-step').innerText()).toBe('step 12');
      await both.getByTestId('step-previous').click();
      await both.getByTestId('completions-step').getByText('step 11').waitFor();
      const groups = both.getByTestId('completion-pair').first().getByTestId('completion-group');
      await expect.poll(() => groups.count()).toBe(2);
      const heads = await groups.locator('h3').allInnerTexts();
      expect(heads[0]).toBe(heads[1]);
      const counts = await Promise.all([0, 1].map((side) => groups.nth(side).getByTestId('completion').count()));
      expect(counts.sort((a, b) => a - b)).toEqual([2, 4]);
      await expect.poll(() => groups.first().locator('img').count()).toBeGreaterThan(0);
      await groups.nth(1).getByTestId('completion').first().click();
      await page.getByTestId('completion-dialog').waitFor();
      expect(await page.getByTestId('completion-dialog').innerText()).toContain(heads[1]);
      await page.keyboard.press('Escape');
      expect(await axeFaults(page)).toEqual([]);
    });
  });
});

describe('a run that is still training', () => {
  it('is followed in the comparison until it has ended', async () => {
    await site.visit(
      async (page) => {
        await train(page, { learning_rate: 0.002 });
        await start(page, { learning_rate: 0.01, max_steps: 60, eval_steps: 30 });
        await page.locator('[data-testid="run"][data-status="running"]').waitFor();
        await page.getByTestId('nav-compare').click();
        await page.getByTestId('choose-all').click();
        await page.getByTestId('compare-following').waitFor();
        const last = async () => Number(/@(\d+)/.exec((await page.getByTestId('bestTrain-loss').locator('td').allInnerTexts()).join(' ').replace('@12', ''))?.[1] ?? 0);
        await expect.poll(last, { timeout: 20_000 }).toBeGreaterThan(0);
        const seen = await last();
        await expect.poll(last, { timeout: 20_000 }).toBeGreaterThan(seen);
        await page.getByTestId('compare-following').waitFor({ state: 'detached', timeout: 30_000 });
        await expect.poll(() => page.getByTestId('run-picker').innerText()).not.toContain('Training');
        expect(await last()).toBeGreaterThan(50);
      },
      { view: 'train', scenario: { stepMs: 150 } },
    );
  });
});

describe('every visitor', () => {
  it('finds the views in Chinese, at 360 pixels and in the dark', async () => {
    await visit(
      'compare',
      async (page) => {
        expect(await page.locator('h1').innerText()).toBe('比较');
        await page.getByTestId('compare-empty').waitFor();
        await open(page, 'original-grpo/training_log.json', 'ms-swift/logging.jsonl', 'wandb-chart.csv');
        await page.getByTestId('metric-tables').waitFor();
        expect(await page.getByTestId('metric-tables').innerText()).toContain('最佳验证');
        expect(await overflow(page)).toBeLessThanOrEqual(0);
        expect(await axeFaults(page)).toEqual([]);
        await page.goto(`${site.url}#/runs`);
        await page.getByTestId('imported-row').first().waitFor();
        expect(await overflow(page)).toBeLessThanOrEqual(0);
        await page.getByTestId('imported-open').first().click();
        await page.getByTestId('run-facts').waitFor();
        expect(await overflow(page)).toBeLessThanOrEqual(0);
        expect(await axeFaults(page)).toEqual([]);
      },
      { locale: 'zh-CN', viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true, colorScheme: 'dark' },
    );
  });
});
