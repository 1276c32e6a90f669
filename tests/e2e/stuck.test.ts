/** A trainer whose thread is stuck: the page says so, and can always get a fresh one. */
import { describe, expect, it } from 'vitest';
import { useFakePage } from './visit.ts';

const site = useFakePage();

describe('a trainer that is stuck in preparing', () => {
  it('can be cancelled at once, and is reported when it has been silent for a while', async () => {
    await site.visit(
      async (page) => {
        await page.getByTestId('model-demo').click();
        await page.getByTestId('data-demo').click();
        await page.getByTestId('start').click();
        await page.getByTestId('cancel-preparing').waitFor();
        await page.getByTestId('trainer-silent').waitFor({ timeout: 90_000 });
        expect(await page.getByTestId('trainer-silent').innerText()).toContain('stuck');
        await page.getByTestId('cancel-preparing').click();
        await page.getByTestId('trainer-silent').waitFor({ state: 'detached' });
        // The fresh worker takes model and data again.
        await page.getByTestId('nav-train').click();
        if (await page.getByTestId('new-run').count()) await page.getByTestId('new-run').click();
        await page.getByTestId('model-demo').click();
        await page.getByTestId('data-demo').click();
        await page.getByTestId('start').waitFor();
      },
      { scenario: { stuckAtStart: true } },
    );
  });
});
