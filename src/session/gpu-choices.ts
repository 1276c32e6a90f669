/** The forms of kernels on WebGPU. */
import type { Gpu } from '../gpu/gpu.ts';
import { stopwatchOf } from '../gpu/stopwatch.ts';
import { TABLES_VERSION, tuningEntries } from '../kernels/tuning/entries.ts';
import type { TuningEntry } from '../kernels/tuning/entry.ts';
import { multiplyAddPeak } from '../kernels/tuning/multiply-add-peak.ts';
import { choiceHolds } from '../kernels/tuning/tables.ts';
import { tuneClass } from '../kernels/tuning/tune.ts';
import type { TunedClass } from '../protocol/tuning.ts';
import type { Choices, KernelChoices } from './engine.ts';

export class GpuChoices implements KernelChoices {
  readonly version = TABLES_VERSION;
  readonly classes: readonly string[];
  private readonly entries: ReadonlyMap<string, TuningEntry>;
  /** Floating-point operations per second at best, once measured. */
  private peak: number | null = null;

  /** @param isFallback a CPU plays the GPU: it has no peak worth speaking of */
  constructor(
    private readonly gpu: Gpu,
    private readonly isFallback: boolean,
  ) {
    this.entries = new Map(tuningEntries(gpu).map((entry) => [entry.key, entry]));
    this.classes = [...this.entries.keys()];
  }

  get inForce(): Choices {
    return Object.fromEntries(this.gpu.choices);
  }

  use(choices: Choices): string[] {
    const all = Object.entries(choices);
    this.gpu.choices = new Map(all.filter(([key, variant]) => choiceHolds(this.gpu, key, variant)));
    return all.map(([key]) => key).filter((key) => !this.gpu.choices.has(key));
  }

  async race(key: string, ended: () => boolean): Promise<TunedClass | null> {
    const { gpu } = this;
    const entry = this.entries.get(key);
    if (!entry) return null;
    if (!this.isFallback) this.peak ??= await multiplyAddPeak(gpu, stopwatchOf(gpu));
    const tuned = await tuneClass(gpu, entry, ended);
    if (!tuned) return null;
    const { flopsPerSecond, ...rest } = tuned;
    return { ...rest, share: this.peak === null || flopsPerSecond === null ? null : flopsPerSecond / this.peak };
  }
}
