/** What a user does with each large input, and what that user waits for. */
import type { Page } from 'playwright';
import type { RealPage } from '../demo/real-page.ts';
import { cloneRun } from './clone-run.ts';
import { cvatTask, longAnswer, pictureArchive, textRows, trainingLog } from './inputs.ts';

/** Longest wait for anything here. */
const PATIENCE_MS = 15 * 60_000;

/** Notes the seconds since the scene's first action under a name. */
export type Mark = (what: string) => void;

export interface Scene {
  name: string;
  /** Makes its input and brings the page to where the user would hand it over; not timed. */
  prepare(real: RealPage, folder: string): Promise<string>;
  /** The user's actions; `mark` after each thing waited for. */
  act(page: Page, input: string, mark: Mark): Promise<void>;
}

const shown = (page: Page, testid: string) => page.getByTestId(testid).first().waitFor({ timeout: PATIENCE_MS });

async function toData({ page, train }: RealPage): Promise<void> {
  await train.chooseModel(undefined);
  await page.getByTestId('nav-data').click();
}

async function openData(page: Page, input: string, mark: Mark): Promise<void> {
  await page.getByTestId('train-files').first().setInputFiles(input, { timeout: PATIENCE_MS });
  await shown(page, 'samples');
  mark('first sample on screen');
  await page.getByTestId('nav-train').click();
  await page.locator('[data-testid="start"]:not([disabled])').waitFor({ timeout: PATIENCE_MS });
  mark('training may start');
}

async function openLog(page: Page, input: string, mark: Mark): Promise<void> {
  await page.getByTestId('logs-files').setInputFiles(input, { timeout: PATIENCE_MS });
  await shown(page, 'imported-open');
  mark('listed');
  await page.getByTestId('imported-open').click();
  await page.locator('[data-testid="curve-loss"] canvas').waitFor({ timeout: PATIENCE_MS });
  mark('first chart');
}

export const SCENES: readonly Scene[] = [
  {
    name: 'dataset of 100,000 rows, JSONL',
    prepare: async (real, folder) => (await toData(real), textRows(folder, 100_000)),
    act: openData,
  },
  {
    name: 'ZIP of 5,000 images, stored',
    prepare: async (real, folder) => (await toData(real), pictureArchive(folder, 5_000, 0)),
    act: openData,
  },
  {
    name: 'ZIP of 5,000 images, packed',
    prepare: async (real, folder) => (await toData(real), pictureArchive(folder, 5_000, 1)),
    act: openData,
  },
  {
    name: 'CVAT task of 150,000 images',
    prepare: async (real, folder) => (await toData(real), cvatTask(folder, 150_000)),
    act: async (page, input, mark) => {
      await page.getByTestId('train-files').first().setInputFiles(input);
      await page.getByTestId('cvat-statistics').or(page.getByTestId('error-box')).first().waitFor({ timeout: PATIENCE_MS });
      mark('counted, with what it lacks');
    },
  },
  {
    name: 'answer of a million characters',
    prepare: async (real, folder) => (await toData(real), longAnswer(folder, 1_000_000)),
    act: async (page, input, mark) => {
      await page.getByTestId('train-files').first().setInputFiles(input);
      await shown(page, 'samples');
      mark('sample on screen');
    },
  },
  {
    name: 'log of 1,000,000 rows',
    prepare: async ({ page }, folder) => (await page.getByTestId('nav-runs').click(), trainingLog(folder, 1_000_000)),
    act: openLog,
  },
  {
    name: '300 stored runs',
    prepare: async (real) => {
      await cloneRun(real, 300);
      return '';
    },
    act: async (page, _input, mark) => {
      await page.getByTestId('nav-runs').click();
      await page.getByTestId('run-row').nth(299).waitFor({ timeout: PATIENCE_MS });
      mark('all listed');
      await page.getByTestId('search-runs').fill('copy 17');
      await page.getByTestId('run-row').nth(10).waitFor({ state: 'visible', timeout: PATIENCE_MS });
      mark('searched');
    },
  },
];
