/** Walks through an evaluation with a fake trainer: what is refused, and how it is walked. */
import type { Page } from 'playwright';
import { describe, expect, it } from 'vitest';
import type { FakeScenario } from './fake-trainer.ts';
import { axeFaults, overflow } from './manners.ts';
import { useFakePage, type VisitOptions } from './visit.ts';

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

describe('the view that evaluates', () => {
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
