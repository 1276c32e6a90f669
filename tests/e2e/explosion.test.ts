/** A run that has blown up: the page leads back to the adapter that it had before. */
import { expect, it } from 'vitest';
import { useFakePage } from './visit.ts';

const site = useFakePage();

it('offers the newest adapter from before the explosion, at a tenth of the learning rate', async () => {
  await site.visit(
    async (page) => {
      const settings = { max_steps: 12, save_steps: 3, eval_steps: 0, logging_steps: 1, learning_rate: 0.002 };
      await page.getByTestId('import-settings').setInputFiles({ name: 'settings.json', mimeType: 'application/json', buffer: Buffer.from(JSON.stringify(settings)) });
      await page.getByTestId('toast').first().waitFor();
      await page.getByTestId('model-demo').click();
      await page.getByTestId('data-demo').click();
      await page.getByTestId('start').click();
      await page.locator('[data-testid="run"][data-status="finished"]').waitFor({ timeout: 60_000 });
      // Step 7 was the last with a gradient, and speaks for the weights of step 6.
      expect(await page.getByTestId('diagnosis-adapter-dead').innerText()).toContain('step 8');
      const back = page.getByTestId('go-back');
      expect(await back.innerText()).toContain('step 6');
      await back.click();
      await page.getByTestId('adapter-taken').waitFor();
      expect(await page.getByTestId('start-from').inputValue()).toMatch(/^run\/.*\/checkpoint-6$/);
      expect(await page.getByTestId('method-card').innerText()).toContain('2e-4');
      await page.getByTestId('start').waitFor();
    },
    { scenario: { stepMs: 4, deadFrom: 8 } },
  );
});
