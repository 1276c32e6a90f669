/** The choice between two GPUs on the device's card, with a trainer that computes nothing. */
import { describe, expect, it } from 'vitest';
import { axeFaultsInBothThemes, overflow } from './manners.ts';
import { useFakePage } from './visit.ts';

const site = useFakePage();
const clean = { light: [], dark: [] };

describe('a machine with two GPUs', () => {
  it('offers both; the choice is kept, and never changes the GPU under a run', async () => {
    await site.visit(async (page) => {
      const gpus = page.getByTestId('gpus');
      await gpus.waitFor();
      expect(await gpus.innerText()).toMatch(/NVIDIA RTX 3060 · fast · in use\s+Intel Iris Xe · saves power/);
      await page.getByTestId('nav-train').click();
      await page.getByTestId('demo-start').click();
      await page.getByTestId('pause').click();
      await page.locator('[data-testid="run"][data-status="paused"]').waitFor();
      await page.getByTestId('nav-models').click();
      await page.getByTestId('gpu-high-performance').focus();
      await page.keyboard.press('ArrowDown');
      expect(await page.getByTestId('gpu-next').innerText()).toContain('The run under way stays on its GPU.');
      expect(await page.getByTestId('gpu-restart').isDisabled()).toBe(true);
      expect(await page.getByTestId('device').innerText()).toContain('NVIDIA');
      expect(await axeFaultsInBothThemes(page)).toEqual(clean);
      await page.setViewportSize({ width: 360, height: 740 });
      expect(await overflow(page)).toBeLessThanOrEqual(0);
      await page.setViewportSize({ width: 1280, height: 900 });

      await page.getByTestId('nav-train').click();
      await page.getByTestId('continue').click();
      await page.locator('[data-testid="run"][data-status="finished"]').waitFor({ timeout: 60_000 });
      await page.getByTestId('nav-models').click();
      await page.getByTestId('gpu-restart').click();
      await page.getByTestId('device').getByText('Intel Iris Xe').waitFor();
      expect(await gpus.innerText()).toMatch(/NVIDIA RTX 3060 · fast\s+Intel Iris Xe · saves power · in use/);
      expect(await page.getByTestId('gpu-next').count()).toBe(0);
      await page.reload();
      await page.getByTestId('device').getByText('Intel Iris Xe').waitFor();
    }, { view: 'models', scenario: { stepMs: 8, otherGpu: 'Intel Iris Xe' } });
  });

  it('and one with a single GPU is asked nothing', async () => {
    await site.visit(async (page) => {
      await page.getByTestId('device').getByText('NVIDIA').waitFor();
      await page.getByTestId('tuning').waitFor();
      expect(await page.getByTestId('gpus').count()).toBe(0);
    }, { view: 'models' });
  });
});
