/** Data that no honest program writes: the views show what they can and say what they cannot; none stays blank. */
import { describe, expect, it } from 'vitest';
import type { Page } from 'playwright';
import { useFakePage } from './visit.ts';

const site = useFakePage();
const rows = (lines: readonly string[]) => Buffer.from(`{"config":{},"train_history":[${lines.join(',')}],"val_history":[]}`);

const LOGS: Readonly<Record<string, Buffer>> = {
  'infinite-rate': rows([1, 2, 3, 4].map((step) => `{"step":${step},"loss":1,"learning_rate":Infinity}`)),
  'only-nan': rows([1, 2, 3, 4].map((step) => `{"step":${step},"loss":NaN,"learning_rate":NaN,"grad_norm":NaN}`)),
  'huge-and-tiny': rows(['{"step":1,"loss":1e308,"learning_rate":5e-324}', '{"step":2,"loss":-1e308,"learning_rate":1e308}']),
  'one-row': rows(['{"step":0,"loss":0}']),
  'step-twice': rows(['{"step":1,"loss":1}', '{"step":1,"loss":2}', '{"step":1,"loss":3}']),
  'empty-name': rows(['{"step":1,"":1,"loss":1}', '{"step":2,"":2,"loss":1}']),
};

/** Nothing failed, and the view has something in it. */
async function alive(page: Page, name: string): Promise<void> {
  expect(await page.getByTestId('view-failed').allInnerTexts(), name).toEqual([]);
  expect((await page.locator('main').innerText()).trim().length, name).toBeGreaterThan(40);
}

describe('hostile logs', () => {
  it('open, are compared, and leave the views after them alone', async () => {
    await site.visit(async (page) => {
      await page.getByTestId('nav-runs').click();
      for (const [name, buffer] of Object.entries(LOGS)) {
        await page.getByTestId('logs-files').setInputFiles({ name: `${name}.json`, mimeType: 'application/json', buffer });
        const link = page.getByTestId('imported-open').filter({ hasText: name }).first();
        await link.waitFor();
        await link.click();
        await page.locator('main h1, main h2').first().waitFor();
        await page.waitForTimeout(400);
        await alive(page, name);
        await page.getByTestId('nav-runs').click();
        await page.getByTestId('logs-files-button').waitFor();
      }
      for (const view of ['train', 'runs', 'compare', 'try', 'data', 'models']) {
        await page.getByTestId(`nav-${view}`).click();
        await page.waitForTimeout(100);
        await alive(page, view);
      }
    });
  });
});

describe('hostile samples', () => {
  it('are shown, though one shows an image twice and three have one id', async () => {
    await site.visit(async (page) => {
      await page.getByTestId('model-demo').click();
      const picture = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==', 'base64');
      const sample = (images: string[]) => ({ id: 'same', images, messages: [{ role: 'user', content: `${'<image>'.repeat(images.length)}What?` }, { role: 'assistant', content: 'That.' }] });
      const records = Buffer.from(JSON.stringify([sample(['a.png', 'a.png']), sample(['a.png']), sample(['a.png'])]));
      await page.getByTestId('train-files').setInputFiles([
        { name: 'train.json', mimeType: 'application/json', buffer: records },
        { name: 'a.png', mimeType: 'image/png', buffer: picture },
      ]);
      await page.getByTestId('nav-data').click();
      await page.waitForTimeout(1500);
      await alive(page, 'data');
    });
  });
});
