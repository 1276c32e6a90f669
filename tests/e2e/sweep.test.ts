/** Sweeps from the form to the table, with a fake trainer. */
import type { Page } from 'playwright';
import { describe, expect, it } from 'vitest';
import type { FakeScenario } from './fake-trainer.ts';
import { axeFaultsInBothThemes, overflow } from './manners.ts';
import { useFakePage } from './visit.ts';

const site = useFakePage();

/** A visitor with the demo loaded and short runs set, who looks at the form of a sweep. */
const visit = (scenario: FakeScenario, body: (page: Page) => Promise<void>) =>
  site.visit(
    async (page) => {
      await page.getByTestId('model-demo').click();
      await page.getByTestId('data-demo').click();
      const buffer = Buffer.from(JSON.stringify({ max_steps: 10, eval_steps: 5, save_steps: 2, eval_on_start: false }));
      await page.getByTestId('import-settings').setInputFiles({ name: 's.json', mimeType: 'application/json', buffer });
      await page.getByTestId('plan-card').waitFor();
      await page.goto(`${site.url}#/runs/sweep`);
      await body(page);
    },
    { scenario, view: 'train' },
  );

async function start(page: Page, name: string, rates: string): Promise<void> {
  await page.getByTestId('sweep-name').fill(name);
  await page.getByTestId('values-learning_rate').fill(rates);
  await page.getByTestId('sweep-start').click();
  await page.getByTestId('sweep-stop').waitFor();
}

const sweepIs = (page: Page, state: string) => page.locator(`[data-testid="sweep"][data-state="${state}"]`).waitFor({ timeout: 60_000 });
const rows = (page: Page) => page.getByTestId('sweep-row').allInnerTexts();
const clean = { light: [], dark: [] };

describe('a sweep', () => {
  it('trains its runs one after the other, goes on after a reload, and shows table and plot', async () => {
    await visit({ stepMs: 30 }, async (page) => {
      await page.getByTestId('values-learning_rate').fill('1e-4, fast');
      expect(await page.getByTestId('axis-learning_rate').innerText()).toContain('not a number');
      expect(await page.getByTestId('sweep-start').isDisabled()).toBe(true);
      await page.getByTestId('values-learning_rate').fill('1e-4, 1e-3, 1e-2');
      await page.getByTestId('sweep-plan').getByText('3 runs, about').waitFor();
      expect(await page.getByTestId('sweep-plan').innerText()).toContain('If a run fails');
      expect(await axeFaultsInBothThemes(page)).toEqual(clean);
      await start(page, 'rates', '1e-4, 1e-3, 1e-2');
      await page.getByText('Watch this run').click();
      // Held, so that the reload meets it half-trained on a machine of any speed.
      await page.getByTestId('pause').click();
      await page.locator('[data-testid="run"][data-status="paused"]').waitFor();
      await page.getByTestId('save-now').click();
      await page.getByTestId('saved').getByText('safe to close').waitFor();
      const number = Number(/^Run (\d) of 3 of the sweep rates$/.exec(await page.getByTestId('sweep-place').innerText())?.[1]);
      expect(await page.getByTestId('sweep-waiting').count()).toBe(0);
      await page.reload();

      const note = page.getByTestId('sweep-waiting');
      await note.waitFor();
      expect(await note.innerText()).toContain(`The sweep rates has ${4 - number} of 3 runs left`);
      expect(await note.innerText()).toContain('It was cut off.');
      expect(await page.getByTestId('interrupted').count()).toBe(0);
      await page.getByTestId('sweep-open').click();
      expect(await page.getByTestId('sweep-row').nth(number - 1).innerText()).toContain('interrupted');
      await page.getByTestId('nav-runs').click();
      await page.getByTestId('sweep-continue-note').click();
      await page.getByTestId('sweep-list').getByText('rates').click();
      await sweepIs(page, 'finished');
      expect(await page.getByTestId('sweep-row').count()).toBe(3);
      expect(await page.getByTestId('sweep-best').count()).toBe(1);
      expect((await rows(page)).every((row) => row.includes('done'))).toBe(true);

      expect(await page.getByTestId('plot-line').count()).toBe(3);
      await page.getByTestId('handle-learning_rate-0').focus();
      for (let i = 0; i < 4; i++) await page.keyboard.press('ArrowUp');
      expect(await page.getByTestId('plot-kept').innerText()).toBe('2 of 3 runs');
      expect(await axeFaultsInBothThemes(page)).toEqual(clean);
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
      expect(await page.getByTestId('run-open').count()).toBe(3);
    });
  });

  it('pauses after a run, takes that back, stops, and is continued', async () => {
    await visit({ stepMs: 60 }, async (page) => {
      await start(page, 'rates', '1e-4, 1e-3, 1e-2');
      await page.getByTestId('sweep-pause').click();
      await page.getByTestId('sweep-state').getByText('pauses after this run').waitFor();
      await page.getByTestId('sweep-go-on').click();
      await page.getByTestId('sweep-pause').click();
      await sweepIs(page, 'paused');
      expect(await page.getByTestId('sweep').innerText()).toContain('1 of 3 runs');

      await page.goto(`${site.url}#/train`);
      const note = page.getByTestId('sweep-waiting');
      expect(await note.innerText()).toMatch(/The sweep rates has 2 of 3 runs left\s+It was paused\./);
      expect(await axeFaultsInBothThemes(page)).toEqual(clean);
      await page.getByTestId('language').click();
      expect(await note.innerText()).toContain('搜索 rates 还剩 2 / 3 次训练');
      await page.getByTestId('language').click();
      await page.getByTestId('dismiss-sweep').click();
      expect(await note.count()).toBe(0);
      await page.reload();
      await page.getByTestId('sweep-continue-note').click();
      await page.getByTestId('sweep-place').getByText('Run 2 of 3').waitFor();
      expect(await note.count()).toBe(0);

      await page.getByTestId('sweep-place').click();
      await page.getByTestId('sweep-stop').click();
      await sweepIs(page, 'stopped');
      expect((await rows(page)).map((row) => /done|stopped|left out/.exec(row)?.[0])).toEqual(['done', 'stopped', 'left out']);
      await page.goto(`${site.url}#/train`);
      await page.getByTestId('new-run').waitFor();
      expect(await note.count()).toBe(0);
      await page.goBack();
      await page.getByTestId('sweep-continue').click();
      await sweepIs(page, 'finished');
      expect((await rows(page)).map((row) => /done|stopped/.exec(row)?.[0])).toEqual(['done', 'stopped', 'done']);

      await page.getByTestId('sweep-remove').click();
      await page.getByTestId('runs-list').waitFor();
      expect(await page.getByTestId('sweep-list').count()).toBe(0);
      await page.getByTestId('undo').click();
      await page.getByTestId('sweep-list').getByText('rates').waitFor();
    });
  });

  it('in which a run fails shows why, trains the rest, and sorts its table', async () => {
    await visit({ stepMs: 4, failAt: { step: 3, code: 'out-of-memory', learningRate: 0.001 } }, async (page) => {
      await start(page, 'large', '1e-3, 1e-2, 1e-4');
      await sweepIs(page, 'finished');
      expect(await page.getByTestId('sweep').innerText()).toMatch(/3 of 3 runs\s+finished\s+1 failed/);
      const texts = await rows(page);
      expect(texts[0]).toContain('The GPU has too little memory: Step 3 could not be computed.');
      expect(texts.map((row) => /done|failed/.exec(row)?.[0])).toEqual(['failed', 'done', 'done']);

      const numbers = async () => (await rows(page)).map((row) => row.split(/\s/)[0]).join('');
      const sorted = page.locator('th[aria-sort="ascending"], th[aria-sort="descending"]');
      for (const [column, ascending, descending] of [['setting-learning_rate', '312', '213'], ['metric', '321', '123'], ['state', '231', '123'], ['number', '123', '321']]) {
        await page.getByTestId(`sweep-sort-${column}`).click();
        expect(await numbers(), column).toBe(ascending);
        expect(await sorted.getAttribute('aria-sort')).toBe('ascending');
        await page.getByTestId(`sweep-sort-${column}`).click();
        expect(await numbers(), column).toBe(descending);
        expect(await sorted.getAttribute('aria-sort')).toBe('descending');
      }
      expect(await axeFaultsInBothThemes(page)).toEqual(clean);
      await page.setViewportSize({ width: 360, height: 740 });
      expect(await overflow(page)).toBeLessThanOrEqual(0);
      expect(await axeFaultsInBothThemes(page)).toEqual(clean);
      await page.goto(`${site.url}#/runs/sweep`);
      await page.getByTestId('sweep-form').waitFor();
      expect(await overflow(page)).toBeLessThanOrEqual(0);
    });
  });
});
