/** The device's card while and after the kernels are tuned, with a trainer that computes nothing. */
import type { Page } from 'playwright';
import { describe, expect, it } from 'vitest';
import { axeFaultsInBothThemes, overflow } from './manners.ts';
import { useFakePage } from './visit.ts';

const site = useFakePage();

const settled = (page: Page) => page.locator('[data-testid="tuning"][data-status="idle"]').waitFor({ timeout: 30_000 });

describe('the tuning on the device card', () => {
  it('shows its progress, what was chosen with its share of the peak, and begins anew by keyboard', async () => {
    await site.visit(async (page) => {
      const card = page.getByTestId('tuning');
      await card.getByRole('progressbar').waitFor();
      await settled(page);
      expect(await card.innerText()).toMatch(/Products with weights\s+tile 128 × 64 · 63 % of this GPU’s measured peak/);
      await card.getByText('5 kinds of computation').click();
      expect(await card.locator('li').nth(1).innerText()).toMatch(/nn nf4, rows > 128\s+tile 32 × 32 · 0\.7 ms · 55 % · chosen here/);
      await page.setViewportSize({ width: 360, height: 740 });
      expect(await overflow(page)).toBeLessThanOrEqual(0);
      expect(await axeFaultsInBothThemes(page)).toEqual({ light: [], dark: [] });

      const again = page.getByTestId('tune');
      expect(await again.innerText()).toBe('Tune again');
      await again.focus();
      await page.keyboard.press('Enter');
      await page.locator('[data-testid="tuning"][data-status="running"]').waitFor();
      expect(await again.isDisabled()).toBe(true);
      await settled(page);
      expect(await again.isEnabled()).toBe(true);
    }, { view: 'models', scenario: { stepMs: 600 } });
  });

  it('waits to be asked on a CPU, and speaks of no share there, in Chinese too', async () => {
    await site.visit(async (page) => {
      const card = page.getByTestId('tuning');
      await card.getByText('只有您要求时才会调优').waitFor();
      await page.getByTestId('tune').click();
      await card.getByText('与权重的乘积').waitFor();
      await settled(page);
      const text = await card.innerText();
      expect(text).toContain('没有可比较的峰值');
      expect(text).not.toContain('%');
    }, { view: 'models', scenario: { stepMs: 60, software: true }, context: { locale: 'zh-CN' } });
  });
});
