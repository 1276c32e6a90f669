/** The tuning of this machine's device as the page would do it, without keeping it. */
import { openGpu } from '../../src/gpu/device.ts';
import { GpuChoices } from '../../src/session/gpu-choices.ts';
import type { TunedClass } from '../../src/protocol/tuning.ts';

export interface TuningReport {
  device: string;
  seconds: number;
  /** Keys of the classes that there was no time for, or nothing to choose from. */
  untouched: string[];
  classes: TunedClass[];
}

/**
 * @param only tunes classes whose key contains it; '' = all
 * @param seconds that it may take
 * @param report takes each class when it is decided
 */
export async function tuneDevice(only: string, seconds: number, report: (tuned: TunedClass) => void): Promise<TuningReport> {
  const { gpu, description, isFallback } = await openGpu();
  const choices = new GpuChoices(gpu, isFallback);
  const start = performance.now();
  const spent = () => (performance.now() - start) / 1000;
  const classes: TunedClass[] = [];
  const wanted = choices.classes.filter((key) => key.includes(only));
  for (const key of wanted) {
    const tuned = spent() < seconds ? await choices.race(key, () => spent() > seconds) : null;
    if (!tuned) continue;
    classes.push(tuned);
    report(tuned);
  }
  const decided = new Set(classes.map(({ key }) => key));
  return { device: description, seconds: spent(), untouched: wanted.filter((key) => !decided.has(key)), classes };
}
