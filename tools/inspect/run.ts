/**
 * npm run inspect: what the page would say of files, without a browser.
 * Exit code 0 when everything can be used, 1 when something cannot, 2 for a wrong command line.
 */
import { LorikeetError } from '../../src/protocol/errors.ts';
import { runCommand } from '../browser/command-line.ts';
import { describeError } from '../demo/page.ts';
import { inspect } from './inspect.ts';
import { parseInspectArguments, USAGE } from './options.ts';
import { formatInspected } from './report-text.ts';

await runCommand(async (argv) => {
  const options = parseInspectArguments(argv);
  if (!options) {
    console.log(USAGE);
    return 0;
  }
  try {
    const inspected = await inspect(options);
    console.log(options.json ? JSON.stringify({ inputs: inspected }, null, 2) : inspected.map(formatInspected).join('\n\n'));
    return inspected.every(({ usable }) => usable) ? 0 : 1;
  } catch (error) {
    if (!(error instanceof LorikeetError)) throw error;
    console.error(describeError(error.toRecord()));
    return 1;
  }
});
