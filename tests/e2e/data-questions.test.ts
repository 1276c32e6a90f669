/** Files that do not speak for themselves: the page asks, and shows what an answer would mean. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Page } from 'playwright';
import { ROOT } from '../../tools/browser/ensure-build.ts';
import { useFakePage } from './visit.ts';

const site = useFakePage();
const CASES = join(ROOT, 'tests/fixtures/cases');
const upload = (name: string, buffer: Buffer, mimeType = 'application/octet-stream') => ({ name, mimeType, buffer });
const TABLE = upload('fragen.csv', Buffer.from('Spalte A;Spalte B\nIs it red?;Yes\nIs it blue?;No\n'));

async function start(page: Page, files: ReturnType<typeof upload>[]): Promise<void> {
  await page.getByTestId('model-demo').click();
  await page.locator('[data-testid="train-files-button"]:not([disabled])').first().waitFor();
  await page.getByTestId('train-files').first().setInputFiles(files);
}

describe('a table with columns of its own', () => {
  it('gets to training by a form, on a phone and by keyboard', async () => {
    await site.visit(
      async (page) => {
        await start(page, [TABLE]);
        const mapper = page.getByTestId('column-mapper');
        await mapper.waitFor();
        expect(await page.getByTestId('column-prompt').inputValue()).toBe('Spalte A');
        expect(await page.getByTestId('column-answer').inputValue()).toBe('Spalte B');
        await page.getByTestId('column-answer').selectOption('Spalte A');
        expect(await page.getByTestId('column-preview').locator('li').first().innerText()).toMatch(/Is it red\?\s+Is it red\?/);
        await page.getByTestId('column-answer').selectOption('Spalte B');
        expect(await page.getByTestId('column-preview').locator('li').nth(1).innerText()).toMatch(/Is it blue\?\s+No/);
        expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360);
        await page.getByTestId('column-boxes').focus();
        await page.keyboard.press('Tab');
        await page.keyboard.press('Enter');
        await mapper.waitFor({ state: 'detached' });
        expect(await page.getByTestId('data-facts').first().innerText()).toMatch(/2 samples/);
        expect(await page.getByTestId('samples').innerText()).toMatch(/Is it red\?[^]*Yes/);

        await page.getByTestId('hold-out').first().click();
        await page.getByTestId('data-facts').first().getByText('10').waitFor();
        expect(await page.getByTestId('data-facts').first().innerText()).toMatch(/1 sample\b[^]*1 sample\s*· 10\s?% of training/);
      },
      { context: { viewport: { width: 360, height: 780 } } },
    );
  });
});

describe('parquet', () => {
  const parquet = (name: string) => upload(name.slice(name.lastIndexOf('/') + 1), readFileSync(join(ROOT, 'tests/fixtures/parquet', name)));

  it('shows the pictures that lie in its shards', async () => {
    await site.visit(async (page) => {
      await start(page, ['train-00000-of-00002', 'train-00001-of-00002', 'validation-00000-of-00001'].map((name) => parquet(`data/${name}.parquet`)));
      await page.getByTestId('samples').getByText('What is in picture 0?').waitFor();
      const picture = page.getByTestId('samples').locator('img').first();
      await expect.poll(() => picture.evaluate((img) => (img as HTMLImageElement).naturalWidth)).toBe(32);
      expect(await page.getByTestId('data-facts').first().innerText()).toMatch(/6 samples[^]*2 samples/);
    });
  });

  it('is asked about where nobody knows its columns', async () => {
    await site.visit(async (page) => {
      await start(page, [parquet('unknown-columns.parquet')]);
      await page.getByTestId('column-mapper').waitFor();
      expect(await page.getByTestId('column-image').inputValue()).toBe('photo');
      expect(await page.getByTestId('column-preview').locator('li').first().innerText()).toMatch(/Was ist auf Bild 0\?\s+Gerät 0/);
    });
  });
});

describe('boxes that seem to count pixels', () => {
  it('are drawn both ways, and read as the user says', async () => {
    await site.visit(async (page) => {
      const folder = join(CASES, '07-pixel-boxes-small-image');
      await start(page, ['train.json', 'a.png'].map((name) => upload(name, readFileSync(join(folder, name)))));
      const question = page.getByTestId('pixel-question');
      await question.locator('img').nth(1).waitFor();
      const places = await question.locator('.box').evaluateAll((boxes) => boxes.map((box) => (box as HTMLElement).style.left));
      expect(places.map(parseFloat)).toEqual([6.4, 10]);
      await page.getByTestId('boxes-pixels').click();
      await question.waitFor({ state: 'detached' });
      expect(await page.getByTestId('samples').innerText()).toContain('[100, 100, 300, 400]');
      expect(await page.getByTestId('decisions').innerText()).toContain('The boxes of train.json are read as pixels.');
    });
  });
});

describe('a COCO export', () => {
  it('is samples at once; question, language and form can be changed', async () => {
    await site.visit(async (page) => {
      const folder = join(CASES, '16-annotation-exports/coco/train');
      await start(page, ['_annotations.coco.json', 'a.png'].map((name) => upload(name, readFileSync(join(folder, name)))));
      await page.getByTestId('nav-data').click();
      const options = page.getByTestId('annotation-options');
      await options.getByText('Made from COCO').waitFor();
      expect(await page.getByTestId('samples').innerText()).toContain('Locate all objects of these kinds: cover.');
      await page.getByTestId('annotation-tags').click();
      await page.getByTestId('samples').getByText('<|box_start|>(100,100),(300,400)<|box_end|>').waitFor();
      await page.getByTestId('annotation-prompt').fill('Where is the {labels}?');
      await page.getByTestId('annotation-prompt').blur();
      await page.getByTestId('samples').getByText('Where is the cover?').waitFor();
    });
  });
});
