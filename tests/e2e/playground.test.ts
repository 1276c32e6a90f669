/** The place where a model is tried out, the adapter a run starts from, and pairs made from samples; with a fake trainer. */
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unzipSync, zipSync } from 'fflate';
import type { BrowserContextOptions, Page } from 'playwright';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../../tools/browser/ensure-build.ts';
import { axeFaultsInBothThemes } from './manners.ts';
import { useFakePage } from './visit.ts';

const IMAGE = join(ROOT, 'public/demo/data/images/000001.png');

const site = useFakePage();

/** A visitor with the demo's model and data loaded. */
const visit = (body: (page: Page) => Promise<void>, { stepMs = 4, ...context }: BrowserContextOptions & { stepMs?: number } = {}) =>
  site.visit(
    async (page) => {
      await page.getByTestId('model-demo').click();
      await page.getByTestId('data-demo').click();
      await page.getByTestId('data-inspect').waitFor();
      await body(page);
    },
    { view: 'train', scenario: { stepMs }, context: { permissions: ['clipboard-read', 'clipboard-write'], ...context } },
  );

const go = (page: Page, view: string) => page.evaluate((name) => (location.hash = `#/${name}`), view);
const left = (page: Page) => page.getByTestId('answer-left');
const right = (page: Page) => page.getByTestId('answer-right');

/** A folder as PEFT saves it. */
function peftFolder(config: object): string {
  const folder = join(mkdtempSync(join(tmpdir(), 'adapter-')), 'my-adapter');
  mkdirSync(folder);
  writeFileSync(join(folder, 'adapter_config.json'), JSON.stringify({ peft_type: 'LORA', target_modules: ['q_proj', 'v_proj'], base_model_name_or_path: 'demo', ...config }));
  writeFileSync(join(folder, 'adapter_model.safetensors'), new Uint8Array(64));
  return folder;
}

/** Trains the demo to its end. */
async function train(page: Page): Promise<void> {
  await page.getByTestId('preset-demo').click();
  await page.getByTestId('start').click();
  await page.locator('[data-testid="run"][data-status="finished"]').waitFor({ timeout: 60_000 });
}

async function chooseFolder(page: Page, picker: string, folder: string): Promise<void> {
  await page.getByTestId(picker).selectOption('folder');
  await page.getByTestId(`${picker}-pick-folder`).setInputFiles(folder);
}

describe('the playground', () => {
  it('lets base model and adapter answer side by side, with boxes, a list and copies', async () => {
    await visit(async (page) => {
      await train(page);
      await page.getByTestId('continue-try').click();
      expect(await page.getByTestId('side-right').inputValue()).toMatch(/^run\/.*\/best$/);
      await page.getByTestId('question-next').click();
      await page.getByTestId('question-origin').getByText('val_0000').waitFor();
      await page.getByTestId('ask').click();
      await right(page).getByTestId('copy-json').waitFor();
      expect(await left(page).getByTestId('answer-text').innerText()).toContain('a road in daylight');
      expect(await left(page).getByTestId('boxes').count()).toBe(0);
      const boxes = await right(page).getByTestId('boxes').locator('li').allInnerTexts();
      expect(await right(page).locator('.box.predicted').count()).toBe(boxes.length);
      expect(await right(page).getByText(`${boxes.length} of ${boxes.length} found`).count()).toBe(1);
      expect(await right(page).getByTestId('figures').innerText()).toMatch(/\d+ tokens · .* · 40\.0 tokens\/s · complete/);
      await right(page).getByTestId('copy-json').click();
      const copied = JSON.parse(await page.evaluate(() => navigator.clipboard.readText())) as { bbox_2d: number[]; label: string }[];
      expect(copied).toHaveLength(boxes.length);
      expect(copied[0].bbox_2d).toHaveLength(4);
      await right(page).getByTestId('copy-text').click();
      expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(await page.getByTestId('playground-truth').locator('p').innerText());
      expect(await axeFaultsInBothThemes(page)).toEqual({ light: [], dark: [] });
    });
  });

  it('streams, stops both sides on request, and says why an answer ended', async () => {
    await visit(
      async (page) => {
        await go(page, 'try');
        await page.getByTestId('question-file').setInputFiles(IMAGE);
        await page.getByTestId('prompt').fill('What is there?');
        await page.getByTestId('prompt').press('Control+Enter');
        await left(page).getByText('The picture shows').waitFor();
        await page.getByTestId('stop-generating').click();
        await page.getByTestId('ask').waitFor();
        expect(await left(page).getByTestId('figures').innerText()).toContain('stopped');
        expect(await right(page).getByTestId('answer-text').innerText()).toContain('The answer appears here.');
        await page.getByTestId('one-side').click();
        await page.getByTestId('decoding-max_new_tokens').fill('3');
        await page.getByTestId('decoding-max_new_tokens').press('Tab');
        await page.getByTestId('ask').click();
        await left(page).getByText('cut at max_new_tokens').waitFor();
        expect(await left(page).getByTestId('figures').innerText()).toMatch(/^3 tokens/);
      },
      { stepMs: 60 },
    );
  });

  it('takes pasted images and suggestions, and refuses what cannot be asked', async () => {
    await visit(async (page) => {
      await go(page, 'try');
      expect(await page.getByTestId('ask').isDisabled()).toBe(true);
      await page.getByTestId('suggestion').first().click();
      expect(await page.getByTestId('ask').isDisabled()).toBe(false);
      const bytes = readFileSync(IMAGE).toString('base64');
      await page.evaluate(async (base64) => {
        const transfer = new DataTransfer();
        transfer.items.add(new File([await (await fetch(`data:image/png;base64,${base64}`)).blob()], 'pasted.png', { type: 'image/png' }));
        window.dispatchEvent(new ClipboardEvent('paste', { clipboardData: transfer, cancelable: true }));
      }, bytes);
      await page.getByTestId('question-origin').getByText('pasted.png').waitFor();
      await page.getByTestId('sampled').click();
      await page.getByTestId('decoding-top_p').fill('1.5');
      await page.getByTestId('decoding-top_p').press('Tab');
      expect(await page.getByTestId('decoding-card').getByRole('alert').innerText()).toContain('at most 1');
      expect(await page.getByTestId('ask').isDisabled()).toBe(true);
      await page.getByTestId('greedy').click();
      await chooseFolder(page, 'side-right', peftFolder({ r: 8, lora_alpha: 16, base_model_name_or_path: 'Qwen/Qwen2-VL-7B' }));
      await page.getByTestId('ask').click();
      await right(page).locator('[data-testid="error-box"][data-code="adapter"]').waitFor();
      expect(await left(page).getByTestId('answer-text').innerText()).toContain('a road in daylight');
      await page.getByTestId('prompt').fill('This is too long');
      await page.getByTestId('ask').click();
      await left(page).locator('[data-testid="error-box"][data-code="sample-too-long"]').waitFor();
    });
  });

  it('steps back while a run is under way', async () => {
    await visit(
      async (page) => {
        await page.getByTestId('preset-demo').click();
        await page.getByTestId('start').click();
        await page.locator('[data-testid="run"][data-status="running"]').waitFor();
        await go(page, 'try');
        await page.getByTestId('playground-busy').getByRole('link').click();
        await page.getByTestId('run').waitFor();
      },
      { stepMs: 30 },
    );
  });

  it('works at 360 px without sideways scrolling', async () => {
    await visit(
      async (page) => {
        await go(page, 'try');
        await page.getByTestId('question-next').click();
        await page.getByTestId('ask').click();
        await right(page).getByTestId('copy-text').waitFor();
        expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360);
      },
      { viewport: { width: 360, height: 740 } },
    );
  });
});

describe('an adapter to start from', () => {
  it('brings its shape into the settings, warns when they no longer fit, and goes to the trainer', async () => {
    await visit(async (page) => {
      await chooseFolder(page, 'start-from', peftFolder({ r: 24, lora_alpha: 12 }));
      await page.getByTestId('adapter-taken').waitFor();
      expect(await page.getByTestId('adapter-facts').innerText()).toContain('r 24 · alpha 12');
      await page.getByTestId('open-settings').click();
      expect(await page.locator('#setting-r').inputValue()).toBe('24');
      await page.getByTestId('reset-r').click();
      await page.keyboard.press('Escape');
      expect(await page.getByTestId('adapter-differs').innerText()).toContain('r');
      await page.getByTestId('adapter-take').click();
      await page.getByTestId('adapter-taken').waitFor();
      await page.getByTestId('start').click();
      await page.getByText('Started from the adapter files.').first().waitFor();
    });
  });

  it('of another base is refused in place', async () => {
    await visit(async (page) => {
      await chooseFolder(page, 'start-from', peftFolder({ r: 8, lora_alpha: 16, base_model_name_or_path: 'Qwen/Qwen2-VL-7B' }));
      const card = page.getByTestId('starting-adapter');
      await card.locator('[data-testid="error-box"][data-code="adapter"]').waitFor();
      await page.getByTestId('start-from').selectOption('');
      expect(await card.getByTestId('error-box').count()).toBe(0);
    });
  });

  it('of a finished run leads to DPO', async () => {
    await visit(async (page) => {
      await train(page);
      await page.getByTestId('continue-dpo').click();
      await page.getByTestId('adapter-taken').waitFor();
      expect(await page.getByTestId('method-dpo').getAttribute('aria-pressed')).toBe('true');
      expect(await page.getByTestId('start-from').inputValue()).toMatch(/\/best$/);
    });
  });
});

describe('preference pairs', () => {
  it('are made from samples, looked at, downloaded and used for DPO', async () => {
    await visit(async (page) => {
      await go(page, 'data');
      const maker = page.getByTestId('pair-maker');
      for (const kind of ['wrong_category', 'wrong_status', 'missing', 'extra']) await page.getByTestId(`pair-kind-${kind}`).uncheck();
      await page.getByTestId('pair-kind-wrong_bbox').uncheck();
      expect(await page.getByTestId('make-pairs').isDisabled()).toBe(true);
      await page.getByTestId('pair-kind-missing').check();
      await page.getByTestId('make-pairs').click();
      await page.getByTestId('pairs-result').waitFor();
      expect(await page.getByTestId('pairs-refused').innerText()).toContain('gave no pair');
      await page.getByTestId('pair-pager').focus();
      await page.keyboard.press('ArrowRight');
      expect(await page.getByTestId('pair-pager').innerText()).toContain('2 /');
      expect(await page.getByTestId('pair-kind').innerText()).toBe('object left out');
      const boxes = (side: string) => maker.getByTestId(`pair-${side}`).locator('.box').count();
      expect(await boxes('rejected')).toBe((await boxes('chosen')) - 1);
      expect(await maker.getByTestId('pair-chosen').locator('mark').count()).toBeGreaterThan(0);

      const [file] = await Promise.all([page.waitForEvent('download'), page.getByTestId('pairs-json').click()]);
      const records = JSON.parse(readFileSync(await file.path(), 'utf8')) as { id: string; image: string; chosen: string; rejected: string }[];
      const [zip] = await Promise.all([page.waitForEvent('download'), page.getByTestId('pairs-zip').click()]);
      const packed = Object.keys(unzipSync(readFileSync(await zip.path())));
      expect(packed).toEqual(['dpo_train.json', ...new Set(records.map(({ image }) => image))]);

      await page.getByTestId('pairs-use').click();
      await page.getByTestId('samples').getByTestId('pair-rejected').waitFor();
      expect(await page.getByTestId('samples').getByTestId('pair-chosen').locator('p').innerText()).toBe(records[0].chosen);
      expect(await maker.count()).toBe(0);
      await go(page, 'train');
      expect(await page.getByTestId('method-dpo').getAttribute('aria-pressed')).toBe('true');
    });
  });
});

describe('annotations from CVAT', () => {
  it('become samples: their counts first, then the data', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'cvat-'));
    const names = ['000001', '000002', '000005', '000008'];
    for (const name of names) writeFileSync(join(folder, `${name}.png`), readFileSync(join(ROOT, `public/demo/data/images/${name}.png`)));
    const box = (status: string) => `<box label="路灯" xtl="10" ytl="10" xbr="40" ybr="30" occluded="0"><attribute name="状态">${status}</attribute></box>`;
    const images = names.map((name, i) => `<image id="${i}" name="${name}.png" width="${i === 0 ? 160 : 128}" height="128">${i === 3 ? '' : box(i === 0 ? '不亮' : '正常')}</image>`);
    const annotations = `<?xml version="1.0" encoding="utf-8"?>\n<annotations><version>1.1</version>${images.join('')}</annotations>`;
    writeFileSync(join(folder, 'annotations.xml'), annotations);
    const pictures = names.map((name) => [`images/${name}.png`, new Uint8Array(readFileSync(join(folder, `${name}.png`)))]);
    const archive = zipSync({ 'annotations.xml': new TextEncoder().encode(annotations), ...Object.fromEntries(pictures) });
    await visit(async (page) => {
      await go(page, 'data');
      await page.getByTestId('train-folder').setInputFiles(folder);
      const figures = page.getByTestId('cvat-statistics');
      await figures.getByText('boxes: 3 · images: 1 abnormal, 3 normal').waitFor();
      await page.getByTestId('cvat-trainRatio').fill('0.9');
      await page.getByTestId('cvat-trainRatio').press('Tab');
      await page.getByTestId('cvat-validationRatio').fill('0.3');
      await page.getByTestId('cvat-validationRatio').press('Tab');
      expect(await page.getByTestId('cvat').getByRole('alert').count()).toBe(1);
      expect(await page.getByTestId('cvat-use').isDisabled()).toBe(true);
      await page.getByTestId('cvat-trainRatio').fill('0.5');
      await page.getByTestId('cvat-trainRatio').press('Tab');
      await figures.getByText('2 training · 1 validation · 1 test').waitFor();
      await page.getByTestId('cvat-use').click();
      await page.getByTestId('samples').getByText('请检测图中的交通设备').waitFor();
      expect(await page.getByTestId('cvat').count()).toBe(0);
      expect(await page.getByTestId('samples').locator('img').count()).toBe(1);

      await page.getByTestId('train-files').setInputFiles({ name: 'task_7.zip', mimeType: 'application/zip', buffer: Buffer.from(archive) });
      await figures.getByText('boxes: 3 · images: 1 abnormal, 3 normal').waitFor();
      await page.getByTestId('cvat-use').click();
      await expect.poll(() => page.getByTestId('samples').locator('img').count()).toBe(1);
    });
  });
});
