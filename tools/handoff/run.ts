/**
 * npm run handoff: stops a demo run, takes its bundle, and lets the page itself go on, so that what PyTorch makes of the
 * bundle can be compared with the page's own next steps. Exit code 0 when everything is written.
 */
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { METHODS, parseTrainingConfig } from '../../src/protocol/config.ts';
import { presetSettings } from '../../src/protocol/presets.ts';
import { runCommand, UsageError, wholeNumber } from '../browser/command-line.ts';
import { openReal } from '../demo/real-page.ts';
import { unpackFolder, unpackRun } from '../demo/unpack.ts';

const USAGE = `npm run handoff -- [options]   a stopped demo run's bundle, and how the page itself went on

  --method NAME   sft, dpo, grpo or grpo-trl (default sft)
  --stop N        stops once this step is logged (default 4)
  --steps N       optimizer steps of the whole run (default 12)
  --set K=V       one more setting, as JSON; may be given several times
  --out DIR       where bundle/ and page/ are written (default outputs/handoff)`;

await runCommand(async (argv) => {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      method: { type: 'string', default: 'sft' },
      stop: { type: 'string', default: '4' },
      steps: { type: 'string', default: '12' },
      set: { type: 'string', multiple: true, default: [] },
      out: { type: 'string', default: 'outputs/handoff' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  const method = METHODS.find((name) => name === values.method);
  if (!method) throw new UsageError(`--method: ${values.method} is not among ${METHODS.join(', ')}.`);
  const more = Object.fromEntries(values.set.map((pair) => [pair.slice(0, pair.indexOf('=')), JSON.parse(pair.slice(pair.indexOf('=') + 1)) as unknown]));
  const config = parseTrainingConfig({ ...presetSettings('demo', method), eval_steps: 0, save_steps: 0, max_steps: wholeNumber('steps', values.steps, 1), ...more });
  const stopAt = wholeNumber('stop', values.stop, 1);
  const out = resolve(values.out);
  mkdirSync(out, { recursive: true });

  const browser = await openReal((text) => console.error(`page: ${text}`));
  try {
    const { page, train, until } = await browser.open();
    await train.importSettings(config);
    await train.chooseModel(undefined);
    await train.chooseData(undefined, undefined);
    if (method !== 'sft') await train.chooseAdapter({ kind: 'demo' });
    const reached = until((event) => event.type === 'train' && event.row.step === stopAt);
    const stopped = until((event) => event.type === 'finished');
    await train.start();
    await reached;
    await train.stop();
    await stopped;
    console.log(`${unpackFolder(await train.downloadHandoff(), join(out, 'bundle')).length} files to go on with: ${join(out, 'bundle')}`);
    const finished = until((event) => event.type === 'finished');
    await page.getByTestId('resume').first().click();
    await finished;
    console.log(`${unpackRun(await train.downloadRun(), join(out, 'page')).length} files of the page's own run: ${join(out, 'page')}`);
    return 0;
  } finally {
    await browser.close();
  }
});
