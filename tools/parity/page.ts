/** All parity checks; each group looks for its files in the folder and skips itself when there are none. */
import { failed } from './check.ts';
import type { CheckResult } from './check.ts';
import { checkDemoModel, dumpLogits } from './demo-checks.ts';
import { Folder } from './folder.ts';
import { checkDpo, checkGrpo } from './method-checks.ts';
import { checkForward, checkGeneration, checkLora, checkNf4Model, checkTraining } from './model-checks.ts';
import type { ParityOptions, ParityResult } from './options.ts';
import { checkImages, checkSamples, checkText } from './processing-checks.ts';
import { checkNf4 } from './quantization-checks.ts';
import { checkDemoPrompts } from './reference-checks.ts';
import { checkSchedules } from './schedule-checks.ts';
import { checkVideoModel, checkVideoProcessing } from './video-checks.ts';

type Report = (check: CheckResult) => void;

const GROUPS: readonly [name: string, run: (folder: Folder, report: Report) => Promise<void>][] = [
  ['schedules', checkSchedules],
  ['nf4', checkNf4],
  ['images', checkImages],
  ['text', checkText],
  ['samples', checkSamples],
  ['video', checkVideoProcessing],
  ['forward', checkForward],
  ['lora', checkLora],
  ['video_model', checkVideoModel],
  ['train', checkTraining],
  ['nf4_model', checkNf4Model],
  ['dpo', checkDpo],
  ['grpo', checkGrpo],
  ['generation', checkGeneration],
  ['reference', checkDemoPrompts],
  ['demo', checkDemoModel],
];

/**
 * Runs every check that the folder has reference numbers for. A group that breaks off counts as one failed check.
 * @param report called once per check, in order
 */
export async function runParity(options: ParityOptions, report: Report): Promise<ParityResult> {
  const folder = new Folder(options.files);
  for (const [name, run] of GROUPS) {
    try {
      await run(folder, report);
    } catch (error) {
      report(failed(`${name}/completed`, error instanceof Error ? error.message : String(error)));
    }
  }
  return { logits: options.dumpLogits ? await dumpLogits(folder, options) : null };
}
