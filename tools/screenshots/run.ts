/** npm run screenshots: photographs the page in each of its states, with the real trainer at work on the demo. */
import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { Page } from 'playwright';
import { parseTrainingConfig } from '../../src/protocol/config.ts';
import { presetSettings } from '../../src/protocol/presets.ts';
import { runCommand, UsageError, wholeNumber } from '../browser/command-line.ts';
import { ROOT } from '../browser/ensure-build.ts';
import { openReal, type RealPage } from '../demo/real-page.ts';
import { cocoExport, questionTable } from './foreign-data.ts';

const USAGE = `npm run screenshots -- [options]   photographs the page: empty, data of other tools, ready, training,
                                      finished, then the list of runs, two of them compared, and the tuned model tried out

  --out DIR        where the pictures go (default docs)
  --steps N        optimizer steps of the run in them, a multiple of 4 (default 40)
  --batch N        samples per step (default 4)
  --language CODE  en or zh (default en)
  --no-training    only what needs no run`;

/** A picture in a repository should not weigh more. */
const MAX_BYTES = 400_000;

interface Format {
  name: string;
  width: number;
  height: number;
  scale: number;
  dark?: boolean;
}

const WIDE: Format = { name: 'wide', width: 1440, height: 1010, scale: 1 };
const DARK: Format = { ...WIDE, name: 'wide-dark', dark: true };
const PHONE: Format = { name: 'phone', width: 390, height: 844, scale: 2 };

/** Pictures of the page as it is now. Those of the training itself carry no state in their name: the README shows them. */
async function shoot(page: Page, out: string, state: string, formats: readonly Format[]): Promise<void> {
  const session = await page.context().newCDPSession(page);
  for (const { name, width, height, scale, dark = false } of formats) {
    await page.emulateMedia({ colorScheme: dark ? 'dark' : 'light' });
    await page.setViewportSize({ width, height });
    await session.send('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: scale, mobile: false });
    await page.mouse.move(0, 0);
    // Charts redraw in their new size, and pictures load once they are in view.
    await page.waitForTimeout(1500);
    const { data } = await session.send('Page.captureScreenshot', { format: 'png', optimizeForSpeed: false });
    const file = join(out, `screenshot${state === 'training' ? '' : `-${state}`}-${name}.png`);
    writeFileSync(file, Buffer.from(data, 'base64'));
    const { size } = statSync(file);
    console.log(`${relative(process.cwd(), file)}  ${Math.round(size / 1000)} kB`);
    if (size > MAX_BYTES) throw new Error(`${file} has ${size} bytes; a picture may have ${MAX_BYTES}.`);
  }
  await session.send('Emulation.clearDeviceMetricsOverride');
  await session.detach();
}

/** The empty page, then what it makes of other tools' data; closes its tab. */
async function shootForeignData({ page, train }: RealPage, scratch: string, out: string, language: string): Promise<void> {
  if (language === 'zh') await page.getByTestId('language').click();
  await shoot(page, out, 'empty', [WIDE, PHONE]);
  await train.chooseModel(undefined);
  await page.getByTestId('nav-data').click();
  const coco = cocoExport(join(scratch, 'coco'), 60);
  const table = questionTable(join(scratch, 'table'), 40);
  for (const [state, folder, asked] of [['coco', coco, 'annotation-options'], ['table', table, 'column-mapper']]) {
    await page.getByTestId('train-folder').first().setInputFiles(folder);
    await page.getByTestId(asked).waitFor();
    await shoot(page, out, state, [WIDE, DARK, PHONE]);
  }
  await page.close();
}

await runCommand(async (argv) => {
  const { values } = parseArgs({
    args: argv,
    options: {
      out: { type: 'string', default: join(ROOT, 'docs') },
      steps: { type: 'string', default: '40' },
      batch: { type: 'string', default: '4' },
      language: { type: 'string', default: 'en' },
      'no-training': { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  const steps = wholeNumber('steps', values.steps, 4);
  if (steps % 4 !== 0) throw new UsageError(`--steps must be a multiple of 4, got ${steps}.`);
  if (values.language !== 'en' && values.language !== 'zh') throw new UsageError(`--language must be en or zh, got "${values.language}".`);
  const config = parseTrainingConfig({
    ...presetSettings('demo', 'sft'), max_steps: steps, per_device_train_batch_size: wholeNumber('batch', values.batch, 1), eval_steps: steps / 4, eval_num_samples: 8,
    eval_batch_size: 8, max_new_tokens: 110, save_steps: steps / 4,
  });
  const out = resolve(values.out);
  mkdirSync(out, { recursive: true });
  const browser = await openReal((text) => console.error(text));
  try {
    await shootForeignData(await browser.open(), browser.scratch, out, values.language);
    if (values['no-training']) return 0;
    const { page, train, until } = await browser.open();
    await page.getByTestId('preset-demo').click();
    await train.importSettings(config);
    await train.chooseModel(undefined);
    await train.chooseData(undefined, undefined);
    await page.getByTestId('start').waitFor();
    await page.getByTestId('toast').waitFor({ state: 'detached' });
    await shoot(page, out, 'ready', [WIDE]);
    const wellUnderWay = until((event) => event.type === 'train' && event.row.step === (steps * 3) / 4 + 1);
    const finished = until((event) => event.type === 'finished');
    await train.start();
    await Promise.race([wellUnderWay, finished]);
    await shoot(page, out, 'training', [WIDE, DARK, PHONE]);
    await finished;
    await shoot(page, out, 'finished', [WIDE]);

    // A second run, so that there is something to compare.
    await page.getByTestId('new-run').click();
    await train.importSettings({ ...config, learning_rate: config.learning_rate / 10 });
    const second = until((event) => event.type === 'finished');
    await train.start();
    await second;
    await page.getByTestId('nav-runs').click();
    await page.getByTestId('run-row').nth(1).waitFor();
    await shoot(page, out, 'runs', [WIDE]);
    await page.getByTestId('nav-compare').click();
    await page.getByTestId('choose-all').click();
    await page.getByTestId('compare-curves').waitFor();
    await shoot(page, out, 'compare', [WIDE, DARK]);
    await page.getByTestId('nav-runs').click();
    await page.getByTestId('run-open').last().click();
    await page.getByTestId('continue-try').click();
    await page.getByTestId('question-next').click();
    await page.getByTestId('ask').click();
    await page.getByTestId('answer-right').getByTestId('copy-json').waitFor({ timeout: 300_000 });
    await shoot(page, out, 'try', [WIDE]);
    return 0;
  } finally {
    await browser.close();
  }
});
