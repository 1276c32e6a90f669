/** Walks through an evaluation with a fake trainer: candidates, figures, the planted worst sample, files. */
import { readFileSync } from 'node:fs';
import { unzipSync } from 'fflate';
import type { Page } from 'playwright';
import { describe, expect, it } from 'vitest';
import { PLANTED } from './fake-evaluation.ts';
import type { FakeScenario } from './fake-trainer.ts';
import { axeFaults, axeFaultsInBothThemes, overflow } from './manners.ts';
import { useFakePage, type VisitOptions } from './visit.ts';

const PLANTED_ID = `val_${String(PLANTED).padStart(4, '0')}`;
const site = useFakePage();

/** A visitor in the view, with the demo's model and data. */
const visit = (body: (page: Page) => Promise<void>, scenario: FakeScenario = {}, context: VisitOptions['context'] = {}) =>
  site.visit(
    async (page) => {
      await page.getByTestId('model-demo').click();
      await page.getByTestId('data-demo').click();
      await page.getByTestId('data-inspect').waitFor();
      await body(page);
    },
    { view: 'evaluate', scenario: { stepMs: 4, ...scenario }, context },
  );

async function evaluate(page: Page, limit = 24): Promise<void> {
  await page.getByTestId('evaluate-limit').fill(String(limit));
  await page.getByTestId('evaluate-limit').press('Tab');
  await page.getByTestId('evaluate-start').click();
  await page.getByTestId('evaluate-summary').waitFor({ timeout: 30_000 });
}

async function download(page: Page, testid: string): Promise<Buffer> {
  const [file] = await Promise.all([page.waitForEvent('download'), page.getByTestId(testid).click()]);
  return readFileSync(await file.path());
}

describe('the view that evaluates', () => {
  it('measures two adapters against the base, finds the planted worst sample, filters, and saves', async () => {
    await visit(async (page) => {
      expect(await page.getByTestId('evaluate-empty').count()).toBe(1);
      expect(await page.getByTestId('candidate-1').inputValue()).toBe('demo');
      await page.getByTestId('add-candidate').click();
      await page.getByTestId('candidate-2').selectOption('demo');
      await evaluate(page);
      const recall = page.getByTestId('figure-recall').locator('td');
      expect(await recall.count()).toBe(3);
      expect(await recall.nth(0).innerText()).toMatch(/^0\.000/);
      expect(await recall.nth(1).innerText()).toMatch(/0\.9\d\d[\s\S]*better by 0\.9\d\d ± 0\.\d/);
      expect(await page.getByTestId('figure-precision').locator('td').first().innerText()).toBe('nothing to measure');
      expect(await page.getByTestId('remark').allInnerTexts()).toEqual(expect.arrayContaining([expect.stringMatching(/classes that no truth has: 幽灵 \(2\)/), expect.stringContaining('nothing can be read')]));

      const worst = page.getByTestId('worst-sample');
      expect(await worst.first().getAttribute('data-id')).toBe(PLANTED_ID);
      expect(await worst.first().getByTestId('fault').allInnerTexts()).toEqual(expect.arrayContaining(['invented', 'missed']));
      // Base with no box, two adapters with two each, and the true ones on each picture.
      expect(await worst.first().locator('.box.predicted').count()).toBe(4);
      expect(await worst.first().locator('.box.truth').count()).toBeGreaterThan(0);
      await page.getByTestId('filter-fault').selectOption('invented');
      expect(await worst.count()).toBe(1);
      await page.getByTestId('filter-fault').selectOption('');
      await page.getByTestId('filter-class').selectOption('幽灵');
      expect(await worst.count()).toBe(1);
      await page.getByTestId('filter-size').selectOption('small');
      expect(await page.getByTestId('worst-count').innerText()).toMatch(/^[01] of [01] samples$/);
      expect(await page.getByTestId('confusion').locator('tbody tr').last().innerText()).toMatch(/^nothing there/);
      expect(await axeFaultsInBothThemes(page)).toEqual({ light: [], dark: [] });

      const html = (await download(page, 'evaluation-html')).toString();
      expect(html).toContain(PLANTED_ID);
      expect(html).toContain('data:image/png;base64,');
      expect((await download(page, 'evaluation-csv')).toString()).toMatch(/^metric,/);
      const names = Object.keys(unzipSync(await download(page, 'evaluation-json')));
      expect(names.filter((name) => name.endsWith('eval_summary.json'))).toHaveLength(3);
      expect(names.filter((name) => /eval_results_iou0\.\d\d\.json$/.test(name))).toHaveLength(30);
    });
  });

  it('pauses, goes on, stops with what there is, and says what was left out', async () => {
    await visit(
      async (page) => {
        await page.getByTestId('evaluate-limit').fill('30');
        await page.getByTestId('evaluate-limit').press('Tab');
        await page.getByTestId('evaluate-start').click();
        await page.getByTestId('evaluate-left').getByText('left').waitFor();
        await page.getByTestId('evaluate-pause').click();
        await page.getByTestId('evaluate-left').getByText('paused').waitFor();
        expect(await axeFaults(page)).toEqual([]);
        await page.getByTestId('evaluate-pause').click();
        await page.getByTestId('evaluate-progress').getByText(/^(?:[5-9]|[12]\d) of 30/).waitFor();
        await page.getByTestId('evaluate-stop').click();
        expect(await page.getByTestId('evaluate-stopped').innerText()).toMatch(/Stopped after \d+ of 30 samples/);
        expect(await page.getByTestId('evaluate-refused').innerText()).toContain('1 samples');
        expect(await page.getByTestId('problems').last().innerText()).toContain('images/000003.png');
        expect(await page.getByTestId('remark').first().innerText()).toContain('1 without a truth');
      },
      { stepMs: 90, problems: true },
    );
  });

  it('says why it cannot, and keeps the way back', async () => {
    await visit(async (page) => {
      await page.getByTestId('evaluate-max-tokens').fill('1');
      await page.getByTestId('evaluate-max-tokens').press('Tab');
      await page.getByTestId('evaluate-start').click();
      expect(await page.getByTestId('error-box').innerText()).toContain('memory');
      await page.getByTestId('evaluate-max-tokens').fill('nonsense'.slice(0, 0));
      await page.getByTestId('evaluate-max-tokens').press('Tab');
      expect(await page.getByTestId('evaluate-max-tokens').inputValue()).toBe('1');
      await page.getByTestId('evaluate-max-tokens').fill('64');
      await evaluate(page, 4);
      expect(await page.getByTestId('error-box').count()).toBe(0);
    });
  });

  it('shows the last set again after a reload, until it is forgotten', async () => {
    await visit(async (page) => {
      await evaluate(page, 12);
      expect(await page.getByTestId('evaluate-kept').count()).toBe(0);
      const figures = await page.getByTestId('figure-recall').innerText();
      await page.reload();
      await page.getByTestId('evaluate-kept').waitFor({ timeout: 30_000 });
      expect(await page.getByTestId('figure-recall').innerText()).toBe(figures);
      expect(await page.getByTestId('worst-sample').first().locator('.box.truth').count()).toBeGreaterThan(0);
      expect(await axeFaults(page)).toEqual([]);
      await page.getByTestId('evaluate-forget').click();
      await page.getByTestId('evaluate-empty').waitFor();
      await page.reload();
      await page.getByTestId('evaluate-empty').waitFor();
      expect(await page.getByTestId('evaluate-kept').count()).toBe(0);
    });
  });

  it('fits a phone, in Chinese too, and is walked by keyboard', async () => {
    await visit(
      async (page) => {
        await page.getByTestId('language').click();
        await page.getByTestId('evaluate-limit').fill('8');
        await page.getByTestId('evaluate-limit').press('Tab');
        await page.getByTestId('evaluate-max-tokens').press('Tab');
        expect(await page.evaluate(() => (document.activeElement as HTMLElement).dataset.testid)).toBe('evaluate-start');
        await page.keyboard.press('Enter');
        await page.getByTestId('evaluate-summary').waitFor({ timeout: 30_000 });
        expect(await page.getByTestId('worst').innerText()).toContain('最差的回答在前');
        expect(await overflow(page)).toBe(0);
        expect(await axeFaults(page)).toEqual([]);
      },
      {},
      { viewport: { width: 360, height: 720 } },
    );
  });
});
