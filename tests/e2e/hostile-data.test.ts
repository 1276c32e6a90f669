/** Data that no honest program writes: the views show what they can and say what they cannot; none stays blank. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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

describe('a data file that is saved anew after it was chosen', () => {
  it('is named, and chosen again alone: the other files stay', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'lorikeet-again-'));
    const record = (id: string) => JSON.stringify({ id, messages: [{ role: 'user', content: 'What?' }, { role: 'assistant', content: 'That.' }] });
    const [a, b] = ['a.jsonl', 'b.jsonl'].map((name) => join(folder, name));
    writeFileSync(a, [record('a1'), record('a2')].join('\n'));
    writeFileSync(b, record('b1'));
    await site.visit(async (page) => {
      const facts = page.getByTestId('data-facts').first();
      await page.getByTestId('model-demo').click();
      await page.getByTestId('train-files').setInputFiles([a, b]);
      await expect.poll(() => facts.innerText()).toContain('3 samples');
      writeFileSync(b, [record('b1'), record('b2'), record('b3')].join('\n'));
      // Another limit of lengths has the files read again.
      const settings = Buffer.from(JSON.stringify({ max_length: 300 }));
      await page.getByTestId('import-settings').setInputFiles({ name: 's.json', mimeType: 'application/json', buffer: settings });
      const again = page.getByTestId('choose-again');
      await again.waitFor({ timeout: 20_000 });
      expect(await again.allInnerTexts()).toEqual(['Choose b.jsonl again']);
      expect(await facts.innerText()).toContain('2 samples');
      const [chooser] = await Promise.all([page.waitForEvent('filechooser'), again.click()]);
      await chooser.setFiles(b);
      await expect.poll(() => facts.innerText()).toContain('5 samples');
      expect(await again.count()).toBe(0);
    });
    rmSync(folder, { recursive: true });
  });
});
