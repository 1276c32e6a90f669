/** The memory card after the largest samples were tried: what fits, and what would, with a trainer that computes nothing. */
import type { Page } from 'playwright';
import { describe, expect, it } from 'vitest';
import { axeFaultsInBothThemes, overflow } from './manners.ts';
import { useFakePage } from './visit.ts';

const site = useFakePage();
const scenario = { stepMs: 4, steps: 6, fitsAtOnce: 1 };

async function refused(page: Page): Promise<void> {
  // Several samples at once.
  await page.getByTestId('preset-demo').click();
  await page.getByTestId('model-demo').click();
  await page.getByTestId('data-demo').click();
  await page.getByTestId('plan-card').waitFor();
  await page.getByTestId('start').click();
  await page.getByTestId('lighter').waitFor();
}

describe('a run that does not fit', () => {
  it('offers three settings with their numbers; the one taken is set, and with it the run begins', async () => {
    await site.visit(async (page) => {
      await refused(page);
      await page.locator('[data-testid="error-box"][data-code="out-of-memory"]').waitFor();
      const lighter = page.getByTestId('lighter');
      const buttons = lighter.getByRole('button');
      expect(await buttons.count()).toBe(3);
      expect(await lighter.innerText()).toContain('they need about 9.4 GB');
      expect(await buttons.nth(0).innerText()).toMatch(/per_device_train_batch_size 1, gradient_accumulation_steps \d+\s+3\.05 GB · 6\.1 s a step/);
      expect(await buttons.nth(1).innerText()).toMatch(/max_length 512\s+6\.2 GB · leaves out 12 samples/);
      await page.setViewportSize({ width: 360, height: 740 });
      // Figures of a plan that is being reckoned anew are pale.
      await page.locator('[data-testid="plan-card"][aria-busy="false"]').waitFor();
      expect(await overflow(page)).toBeLessThanOrEqual(0);
      expect(await axeFaultsInBothThemes(page)).toEqual({ light: [], dark: [] });

      await buttons.nth(0).focus();
      await page.keyboard.press('Enter');
      await lighter.waitFor({ state: 'detached' });
      await page.getByTestId('start').click();
      await page.locator('[data-testid="run"][data-status="finished"]').waitFor({ timeout: 60_000 });
      expect(await page.getByTestId('plan-card').innerText()).toMatch(/Fits on this GPU\s+measured on the largest samples[^]*3\.1 GB/);
    }, { scenario });
  });

  it('says so in Chinese', async () => {
    await site.visit(async (page) => {
      await refused(page);
      expect(await page.getByTestId('lighter').innerText()).toMatch(/最大的样本放不下，约需 9\.4 GB[^]*每步 6\.1 秒[^]*略去 12 个样本/);
    }, { scenario, context: { locale: 'zh-CN' } });
  });
});
