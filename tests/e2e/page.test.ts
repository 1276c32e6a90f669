/** Walks through the built page with a fake trainer: every state a visitor can meet, without a GPU. */
import { readFileSync } from 'node:fs';
import { unzipSync } from 'fflate';
import type { BrowserContextOptions, Page } from 'playwright';
import { describe, expect, it } from 'vitest';
import { fakeTrainer, type FakeScenario } from './fake-trainer.ts';
import { useFakePage } from './visit.ts';

const site = useFakePage();

const visit = (scenario: FakeScenario, body: (page: Page) => Promise<void>, context: BrowserContextOptions = {}) => site.visit(body, { scenario: { stepMs: 8, ...scenario }, context });

const status = (page: Page, wanted: string) => page.locator(`[data-testid="run"][data-status="${wanted}"]`).waitFor({ timeout: 60_000 });

async function reachStep(page: Page, step: number): Promise<void> {
  await page.waitForFunction((wanted) => Number(document.querySelector('[data-testid="progress"]')?.getAttribute('aria-valuenow')) >= wanted, step, { timeout: 60_000 });
}

async function download(page: Page, testid: string): Promise<Uint8Array> {
  const [file] = await Promise.all([page.waitForEvent('download'), page.getByTestId(testid).click()]);
  return readFileSync(await file.path());
}

describe('a first visit', () => {
  it('trains the demo by one click, compares before with after and hands out the files', async () => {
    await visit({}, async (page) => {
      await page.getByTestId('demo-start').click();
      await status(page, 'finished');
      expect(await page.getByTestId('step').innerText()).toContain('60 of 60');
      const cells = await page.getByTestId('summary-eval_loss').locator('td').allInnerTexts();
      expect(cells[0]).toBe('7.600');
      expect(cells[1]).toBe('0.247');
      expect(cells[2]).toBe('−7.353');
      expect(await page.getByTestId('answers').locator('li').count()).toBe(8);

      const log = JSON.parse(new TextDecoder().decode(await download(page, 'download-log'))) as { train_history: unknown[]; val_history: unknown[] };
      expect(log.train_history).toHaveLength(60);
      expect(log.val_history).toHaveLength(4);
      const adapter = unzipSync(await download(page, 'download-adapter'));
      const names = Object.keys(adapter).sort();
      expect(names).toEqual(expect.arrayContaining(['README.md', 'adapter_config.json', 'adapter_model.safetensors', 'curves/loss.png']));
      const card = new TextDecoder().decode(adapter['README.md']);
      expect(card).toContain('library_name: peft');
      for (const [, path] of card.matchAll(/\]\((curves\/[^)]+)\)/g)) expect([...adapter[path].subarray(1, 4)]).toEqual([0x50, 0x4e, 0x47]);
      const run = Object.keys(unzipSync(await download(page, 'download-run')));
      for (const name of ['training_log.json', 'sft_config.json', 'best/adapter_model.safetensors', 'final/adapter_model.safetensors']) expect(run).toContain(name);
    });
  });

  it('sees all charts drawn, with a readout at the crosshair and keys that move it', async () => {
    await visit({}, async (page) => {
      await page.getByTestId('demo-start').click();
      await status(page, 'finished');
      expect(await page.locator('.uplot canvas').count()).toBe(4);
      const chart = page.getByTestId('chart-loss').locator('.plot');
      await chart.focus();
      await page.keyboard.press('Home');
      expect(await page.getByTestId('readout-loss').innerText()).toContain('7.600');
      expect(await page.getByTestId('readout-learning-rate').innerText()).toContain('step');
      await page.keyboard.press('End');
      expect(await page.getByTestId('readout-loss').innerText()).toContain('step 60');
      await page.keyboard.press('+');
      await page.getByTestId('reset-zoom').click();
      expect(await page.getByTestId('reset-zoom').count()).toBe(0);
      await page.getByTestId('axis-epoch').click();
      await chart.focus();
      await page.keyboard.press('End');
      expect(await page.getByTestId('readout-loss').innerText()).toContain('epoch 1.50');
      await page.getByTestId('axis-time').click();
      expect(await page.getByTestId('axis-time').getAttribute('aria-pressed')).toBe('true');
      expect(await page.getByTestId('readout-loss').count()).toBe(0);
      const line = page.getByTestId('line-eval_category');
      await line.click();
      expect(await line.getAttribute('aria-pressed')).toBe('false');
      await page.getByTestId('chart-detection').locator('.plot').focus();
      await page.keyboard.press('End');
      expect(await page.getByTestId('readout-detection').innerText()).not.toContain('category');
      await line.click();
      await page.getByTestId('chart-detection').locator('.plot').focus();
      await page.keyboard.press('End');
      expect(await page.getByTestId('readout-detection').innerText()).toContain('category');
    });
  });

  it('without WebGPU says so and offers nothing that cannot work', async () => {
    await visit({}, async (page) => {
      await page.addInitScript({ content: 'delete Navigator.prototype.gpu' });
      await page.reload();
      await page.locator('[data-testid="error-box"][data-code="webgpu-missing"]').waitFor();
      expect(await page.getByTestId('demo-start').isDisabled()).toBe(true);
    });
  });
});

describe('a run', () => {
  it('pauses, continues, saves and stops', async () => {
    await visit({ stepMs: 200 }, async (page) => {
      await page.getByTestId('demo-start').click();
      await reachStep(page, 3);
      await page.getByTestId('pause').click();
      await status(page, 'paused');
      await page.getByTestId('save-now').click();
      await page.getByTestId('saved').getByText('safe to close').waitFor();
      await page.getByTestId('continue').click();
      await status(page, 'running');
      await page.getByTestId('stop').click();
      await status(page, 'stopped');
      await page.getByTestId('new-run').click();
      await page.getByTestId('start').waitFor();
    });
  });

  it.each(['device-lost', 'out-of-memory', 'not-finite', 'storage-full'] as const)('that fails with %s says so in its own words and keeps what was saved', async (code) => {
    await visit({ failAt: { step: 41, code } }, async (page) => {
      await page.getByTestId('demo-start').click();
      const box = page.locator(`[data-testid="error-box"][data-code="${code}"]`);
      await box.waitFor({ timeout: 60_000 });
      expect(await box.innerText()).toContain('step 30');
      expect(await box.innerText()).not.toContain('Something went wrong');
    });
  });

  it('whose worker crashes resumes from the last save in a new worker', async () => {
    await visit({ crashAt: 41 }, async (page) => {
      await page.getByTestId('demo-start').click();
      const box = page.getByTestId('error-box');
      await box.waitFor({ timeout: 60_000 });
      expect(await box.innerText()).toContain('ran out of memory');
      await box.getByTestId('resume').click();
      await status(page, 'finished');
      await page.getByTestId('nav-runs').click();
      await page.getByTestId('run-row').first().waitFor();
      expect(await page.getByTestId('run-row').count()).toBe(1);
    });
  });

  it('that failed is still offered on its own page once the tab has put it away', async () => {
    await visit({ failAt: { step: 41, code: 'not-finite' } }, async (page) => {
      await page.getByTestId('demo-start').click();
      await status(page, 'failed');
      await page.getByTestId('nav-runs').click();
      await page.getByTestId('run-open').click();
      await page.getByTestId('new-run').click();
      await page.getByTestId('resume').click();
      await page.waitForURL(/#\/train$/);
      await reachStep(page, 31);
    });
  });

  it('that was cut off by a reload is offered again and finishes with one unbroken curve', async () => {
    await visit({ stepMs: 20 }, async (page) => {
      await page.getByTestId('demo-start').click();
      await reachStep(page, 34);
      await page.reload();
      await page.getByTestId('interrupted').waitFor();
      await page.getByTestId('resume').click();
      await status(page, 'finished');
      const text = await page.getByTestId('chart-loss').locator('.plot').getAttribute('aria-label');
      expect(text).toContain('61 points');
    });
  });
});

describe('the list of runs', () => {
  it('opens, renames, deletes and takes back', async () => {
    await visit({}, async (page) => {
      await page.getByTestId('demo-start').click();
      await status(page, 'finished');
      await page.getByTestId('nav-runs').click();
      await page.getByTestId('run-rename').click();
      await page.keyboard.type('My first run');
      await page.keyboard.press('Enter');
      await page.getByRole('link', { name: 'My first run' }).click();
      await page.getByTestId('summary').waitFor();
      expect(await page.getByTestId('answers').count()).toBe(1);
      await page.goBack();
      await page.getByTestId('run-delete').click();
      await page.getByTestId('runs-empty').waitFor();
      await page.getByTestId('undo').click();
      await page.getByRole('link', { name: 'My first run' }).waitFor();
    });
  });
});

describe('a second tab', () => {
  it('shows a run of the first one as it goes on, and leaves it alone', async () => {
    await visit({ stepMs: 60 }, async (page) => {
      await page.getByTestId('demo-start').click();
      await reachStep(page, 2);
      const other = await page.context().newPage();
      await fakeTrainer(other);
      await other.goto(`${site.url}#/train`);
      await other.getByTestId('demo-start').waitFor();
      expect(await other.getByTestId('interrupted').count()).toBe(0);
      await other.getByTestId('nav-runs').click();
      await other.getByTestId('run-elsewhere').waitFor();
      expect(await other.getByTestId('run-resume').count()).toBe(0);
      expect(await other.getByTestId('run-delete').count()).toBe(0);
      await other.getByTestId('run-open').click();
      await other.getByTestId('run').waitFor();
      expect(await other.getByTestId('resume').count()).toBe(0);
      await status(page, 'finished');
      await other.getByTestId('nav-runs').click();
      await other.getByTestId('run-delete').waitFor({ timeout: 10_000 });
    });
  });
});

describe('model, data and settings', () => {
  it('show samples, problems and the plan before the start', async () => {
    await visit({ problems: true }, async (page) => {
      await page.getByTestId('model-demo').click();
      await page.getByTestId('data-demo').click();
      await page.getByTestId('plan-card').waitFor();
      await page.getByTestId('samples').focus();
      await page.keyboard.press('ArrowRight');
      await page.getByText('train_0001').waitFor();
      await page.getByTestId('problems-link').click();
      await page.getByTestId('problems').locator('li').first().waitFor();
      expect(await page.getByTestId('problems').locator('li').count()).toBe(4);
      expect(await page.getByTestId('problems').innerText()).toContain('line 12');
    });
  });

  it('name a wrong value where it stands and start with imported settings', async () => {
    await visit({}, async (page) => {
      await page.getByTestId('model-demo').click();
      await page.getByTestId('data-demo').click();
      await page.getByTestId('data-facts').waitFor();
      await page.getByTestId('open-settings').click();
      await page.getByTestId('search-settings').fill('lora_alpha');
      await page.locator('#setting-lora_alpha').fill('-3');
      await page.locator('#setting-lora_alpha').blur();
      expect(await page.getByTestId('problem-lora_alpha').innerText()).toContain('at least');
      await page.getByTestId('reset-lora_alpha').click();
      await page.getByTestId('close-settings').click();
      const bad = { name: 's.json', mimeType: 'application/json', buffer: Buffer.from('{"learning_rate": "fast"}') };
      await page.getByTestId('import-settings').setInputFiles(bad);
      await page.getByTestId('open-settings').click();
      await page.locator('[data-testid="error-box"][data-code="config"]').waitFor();
      await page.getByTestId('close-settings').click();
      const good = { name: 's.json', mimeType: 'application/json', buffer: Buffer.from('{"max_steps": 5, "eval_steps": 0, "save_steps": 0}') };
      await page.getByTestId('import-settings').setInputFiles(good);
      await page.getByTestId('toast').first().waitFor();
      await page.getByTestId('start').click();
      await status(page, 'finished');
      expect(await page.getByTestId('step').innerText()).toContain('5 of 5');
    });
  });
});

describe('every visitor', () => {
  it('gets Chinese where the browser asks for it, and a remembered choice', async () => {
    await visit(
      {},
      async (page) => {
        expect(await page.getByTestId('demo-start').innerText()).toBe('训练演示模型');
        expect(await page.locator('html').getAttribute('lang')).toBe('zh-CN');
        await page.getByTestId('language').click();
        await page.getByTestId('theme').click();
        await page.reload();
        expect(await page.getByTestId('demo-start').innerText()).toBe('Train the demo');
        expect(await page.locator('html').getAttribute('data-theme')).toBe('light');
      },
      { locale: 'zh-CN' },
    );
  });

  it('reads the faults of a dataset in the page’s language, with the detail beside it', async () => {
    await visit(
      { problems: true },
      async (page) => {
        await page.getByTestId('data-demo').click();
        await page.getByTestId('problems-link').click();
        const first = await page.getByTestId('problems').locator('li').first().innerText();
        expect(first).toContain('缺少文件');
        expect(first).toContain('images/9.png');
        expect(first).toContain('样本 9');
      },
      { locale: 'zh-CN' },
    );
  });

  it('at 360 pixels never scrolls sideways', async () => {
    await visit(
      { problems: true },
      async (page) => {
        const overflow = () => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        expect(await overflow()).toBeLessThanOrEqual(0);
        await page.getByTestId('demo-start').click();
        await status(page, 'finished');
        for (const view of ['train', 'runs', 'compare', 'data', 'models']) {
          await page.goto(`${site.url}#/${view}`);
          await page.waitForTimeout(300);
          expect(await overflow(), view).toBeLessThanOrEqual(0);
        }
      },
      { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true },
    );
  });

  it('finds a name on every control, and one main heading in every view', async () => {
    await visit({}, async (page) => {
      await page.getByTestId('demo-start').click();
      await status(page, 'finished');
      for (const view of ['train', 'runs', 'compare', 'data', 'models']) {
        await page.goto(`${site.url}#/${view}`);
        await page.waitForTimeout(300);
        expect(await page.locator('h1').count(), view).toBe(1);
        const nameless = await page.evaluate(() =>
          [...document.querySelectorAll('button, a, input:not([hidden]), select, textarea')]
            .filter((element) => {
              const own = element.textContent?.trim() || element.getAttribute('aria-label') || element.getAttribute('title');
              return !own && !(element as HTMLInputElement).labels?.length;
            })
            .map((element) => element.outerHTML),
        );
        expect(nameless, view).toEqual([]);
      }
    });
  });

  it('is protected by a policy that lets the page speak to its server and the Hub alone', async () => {
    const policy = /Content-Security-Policy"\s+content="([^"]+)"/.exec(await (await fetch(site.url)).text())?.[1];
    expect(policy).toContain("default-src 'self'");
    // Large files are put where the Hub says: its own store at Amazon.
    const hub = ' https://huggingface.co https://*.huggingface.co https://*.hf.co https://hf-hub-lfs-us-east-1.s3-accelerate.amazonaws.com';
    expect(policy).toContain(`connect-src 'self' blob:${hub};`);
    expect(policy?.replace(hub, '')).not.toMatch(/https?:|\*/);
  });
});
