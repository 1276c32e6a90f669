/** Uses the view that evaluates as a person would. */
import { mkdirSync, readFileSync, renameSync } from 'node:fs';
import { basename, extname, join } from 'node:path';
import type { Page } from 'playwright';
import { stageDataset } from '../demo/staging.ts';
import type { EvaluateOptions } from './options.ts';

const REACTION_MS = 120_000;

/** A copy of the data file's folder in which the file's own name does not say which split it is. */
export function stageSet(data: string, scratch: string): string {
  const extension = extname(data);
  if (extension.toLowerCase() === '.zip') return data;
  const folder = join(scratch, 'set');
  mkdirSync(folder, { recursive: true });
  stageDataset(data, folder);
  const staged = join(folder, `samples${extension}`);
  renameSync(join(folder, basename(data)), staged);
  return staged;
}

export class EvaluatePage {
  constructor(private readonly page: Page) {}

  /** Opens the view and sets everything in it. */
  async prepare({ candidates, data, limit, maxNewTokens }: EvaluateOptions): Promise<void> {
    const { page } = this;
    await page.evaluate(() => (location.hash = '#/evaluate'));
    await page.getByTestId('candidate-0').selectOption('', { timeout: REACTION_MS });
    while ((await page.getByTestId(/^candidate-\d$/).count()) > candidates.length) await page.getByTestId('remove-candidate-1').click();
    for (const [i, candidate] of candidates.entries()) {
      if ((await page.getByTestId(`candidate-${i}`).count()) === 0) await page.getByTestId('add-candidate').click();
      await page.getByTestId(`candidate-${i}`).selectOption(candidate === null ? '' : candidate === 'demo' ? 'demo' : 'folder', { timeout: REACTION_MS });
      if (candidate === null || candidate === 'demo') continue;
      await page.getByTestId(`candidate-${i}-pick-folder`).setInputFiles(candidate);
      await page.getByTestId(`candidate-${i}-pick-folder`).waitFor({ state: 'detached', timeout: REACTION_MS });
    }
    // A file of one's own is read whole; of the built-in set the validation split is meant.
    const split = page.getByTestId(data === undefined ? 'split-validation' : 'split-train');
    if ((await split.count()) > 0) await split.click();
    for (const [field, value] of [['evaluate-limit', limit], ['evaluate-max-tokens', maxNewTokens]] as const) {
      await page.getByTestId(field).fill(String(value));
      await page.getByTestId(field).press('Tab');
    }
  }

  /**
   * Evaluates; resolves when the figures are there.
   * @throws Error with the page's own words when it cannot
   */
  async run(): Promise<void> {
    const { page } = this;
    await page.getByTestId('evaluate-start').click({ timeout: REACTION_MS });
    const figures = page.getByTestId('figures');
    const fault = page.getByTestId('error-box').or(page.getByTestId('evaluate-nothing')).first();
    await figures.or(fault).first().waitFor({ timeout: 0 });
    if ((await figures.count()) === 0) throw new Error((await fault.innerText()).replace(/\s+/g, ' ').trim());
  }

  async stop(): Promise<void> {
    await this.page.getByTestId('evaluate-stop').click();
  }

  /** What the page says of the set: samples, what was left out, what is not as usual. */
  async summary(): Promise<string[]> {
    return (await this.page.getByTestId('evaluate-summary').locator('p').allInnerTexts()).map((text) => text.replace(/\s+/g, ' ').trim());
  }

  async save(kind: 'html' | 'csv' | 'json'): Promise<Uint8Array> {
    const [file] = await Promise.all([this.page.waitForEvent('download', { timeout: REACTION_MS }), this.page.getByTestId(`evaluation-${kind}`).click()]);
    return readFileSync(await file.path());
  }
}
