/** Entry of the parity page. */
import { provideTool } from '../browser/page-tool.ts';
import type { CheckResult } from './check.ts';
import type { ParityOptions, ParityResult } from './options.ts';
import { runParity } from './page.ts';

provideTool<ParityOptions, CheckResult, ParityResult>(async (options, report) => {
  const wanted = (check: CheckResult) => {
    if (check.name.includes(options.only)) report(check);
  };
  return runParity(options, wanted);
});
