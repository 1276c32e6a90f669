/** Learning-rate schedules against transformers.get_scheduler. */
import { learningRateAt } from '../../src/training/schedule.ts';
import { compare } from './check.ts';
import type { CheckResult } from './check.ts';
import type { Folder, Json } from './folder.ts';

const FILE = 'schedules/schedules.json';

export async function checkSchedules(folder: Folder, report: (check: CheckResult) => void): Promise<void> {
  if (!folder.has(FILE)) return;
  for (const { name, base_lr, num_warmup_steps, num_training_steps, lr } of (await folder.json(FILE)).schedules as Json[]) {
    const ours = (lr as number[]).map((_, step) => learningRateAt(name, step, base_lr, num_warmup_steps, num_training_steps));
    report(compare(`schedules/${name}/warmup_${num_warmup_steps}`, ours, lr, { measure: 'abs', tolerance: 1e-9 }));
  }
}
