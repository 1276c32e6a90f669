/** Two tabs with a sweep each: their runs take turns, and the one that waits says so. */
import type { Page } from 'playwright';
import { expect, it } from 'vitest';
import { fakeTrainer } from './fake-trainer.ts';
import { axeFaultsInBothThemes, overflow } from './manners.ts';
import { useFakePage } from './visit.ts';

const site = useFakePage();
const scenario = { stepMs: 30 };

async function startSweep(page: Page, name: string, steps: number): Promise<void> {
  await page.getByTestId('model-demo').click();
  await page.getByTestId('data-demo').click();
  const buffer = Buffer.from(JSON.stringify({ max_steps: steps, eval_steps: steps, save_steps: steps, eval_on_start: false }));
  await page.getByTestId('import-settings').setInputFiles({ name: 's.json', mimeType: 'application/json', buffer });
  await page.getByTestId('plan-card').waitFor();
  await page.goto(`${site.url}#/runs/sweep`);
  await page.getByTestId('sweep-name').fill(name);
  await page.getByTestId('values-learning_rate').fill('1e-4, 1e-3');
  await page.getByTestId('sweep-start').click();
  await page.getByTestId('sweep-stop').waitFor();
}

const finished = (page: Page) => page.locator('[data-testid="sweep"][data-state="finished"]').waitFor({ timeout: 60_000 });

it('sweeps in two tabs take turns', async () => {
  await site.visit(async (first) => {
    // Long enough to be caught in its first run on a machine of any speed.
    await startSweep(first, 'one', 150);
    await first.getByText('Watch this run').click();
    await first.getByTestId('pause').click();
    await first.locator('[data-testid="run"][data-status="paused"]').waitFor();

    const second = await first.context().newPage();
    await fakeTrainer(second, scenario);
    await second.goto(`${site.url}#/train`);
    await startSweep(second, 'two', 10);
    await second.getByTestId('sweep-state').getByText('waits until another tab').waitFor();
    expect(await second.getByTestId('sweep-row').allInnerTexts()).toEqual([expect.stringContaining('waiting'), expect.stringContaining('waiting')]);
    await second.getByTestId('nav-train').click();
    const note = second.getByTestId('sweep-queued');
    expect(await note.innerText()).toContain('The sweep two waits its turn');
    await second.getByTestId('language').click();
    expect(await note.innerText()).toContain('搜索 two 正在排队');
    await second.getByTestId('language').click();
    expect(await axeFaultsInBothThemes(second)).toEqual({ light: [], dark: [] });
    await second.setViewportSize({ width: 360, height: 740 });
    expect(await overflow(second)).toBeLessThanOrEqual(0);
    await second.setViewportSize({ width: 1280, height: 900 });

    await first.bringToFront();
    await first.getByTestId('continue').click();
    await second.getByTestId('sweep-place').waitFor({ timeout: 60_000 });
    await first.getByTestId('sweep-place').or(first.getByTestId('sweep-queued')).first().waitFor();
    for (const [page, name] of [[first, 'one'], [second, 'two']] as const) {
      await page.goto(`${site.url}#/runs`);
      await page.getByTestId('sweep-list').getByText(name).click();
      await finished(page);
    }
  }, { scenario, view: 'train' });
}, 240_000);
