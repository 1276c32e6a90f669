/** A run that is handed on, as a ZIP or as one HTML file, shows the same in another browser. */
import { readFileSync } from 'node:fs';
import type { Page } from 'playwright';
import { expect, it } from 'vitest';
import { useFakePage } from './visit.ts';

const site = useFakePage();

/** What the analysis of the open run says: its best checkpoint, and statistics of every metric. */
async function analysis(page: Page): Promise<{ best: string; statistics: string }> {
  const statistics = page.getByTestId('statistics');
  await statistics.waitFor();
  if ((await statistics.getAttribute('open')) === null) await statistics.locator('summary').click();
  await statistics.locator('table').waitFor();
  return { best: await page.getByTestId('fact-best').innerText(), statistics: await statistics.locator('table').innerText() };
}

async function download(page: Page, testid: string): Promise<Buffer> {
  const [file] = await Promise.all([page.waitForEvent('download'), page.getByTestId(testid).click()]);
  return readFileSync(await file.path());
}

it('a run handed on as ZIP or HTML', async () => {
  let zip: Buffer = Buffer.alloc(0);
  let html: Buffer = Buffer.alloc(0);
  let shown = { best: '', statistics: '' };
  await site.visit(async (page) => {
    await page.getByTestId('demo-start').click();
    await page.locator('[data-testid="run"][data-status="finished"]').waitFor({ timeout: 60_000 });
    await page.goto(`${site.url}#/runs`);
    await page.reload();
    await page.getByTestId('run-details').click();
    zip = await download(page, 'run-export');
    await page.getByTestId('run-open').click();
    shown = await analysis(page);
    html = await download(page, 'export-html');
  }, { scenario: { stepMs: 2, steps: 40 } });
  expect(shown.statistics).toContain('eval_loss');

  await site.visit(async (page) => {
    await page.getByTestId('import-run').setInputFiles({ name: 'run.zip', mimeType: 'application/zip', buffer: zip });
    await page.getByTestId('run-open').click();
    expect(await analysis(page)).toEqual(shown);
    await page.getByTestId('answers').waitFor();
  }, { view: 'runs' });

  await site.visit(async (page) => {
    await page.getByTestId('logs-files').setInputFiles({ name: 'handed-on.html', mimeType: 'text/html', buffer: Buffer.from('<p>no report</p>') });
    await page.locator('[data-testid="error-box"][data-code="file-corrupt"]').waitFor();
    await page.getByTestId('logs-files').setInputFiles({ name: 'handed-on.html', mimeType: 'text/html', buffer: html });
    await page.getByTestId('imported-open').click();
    expect(await analysis(page)).toEqual(shown);
  }, { view: 'runs' });
}, 240_000);
