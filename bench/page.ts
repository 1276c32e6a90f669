/** The benchmark page's program: opens the device once and runs the groups one after the other. */
import { openGpu } from '../src/gpu/device.ts';
import type { Gpu } from '../src/gpu/gpu.ts';
import { benchAttention } from './attention.ts';
import { benchDecoding } from './decoding.ts';
import { benchDispatch } from './dispatch-cost.ts';
import { benchLayer } from './layer.ts';
import { benchLinear } from './linear.ts';
import { benchLogging } from './logging.ts';
import { benchLongRun } from './long-run.ts';
import { benchLoraBlock } from './lora-block.ts';
import { benchMethods } from './methods.ts';
import { benchPeak } from './peak.ts';
import { benchProducts } from './products.ts';
import { benchProfile } from './profile.ts';
import { benchQuantising } from './quantising.ts';
import { benchRealStep } from './real-step.ts';
import type { BenchDevice, BenchRow } from './result.ts';
import { benchSharedPrompts } from './shared-prompts.ts';
import { benchStep } from './step.ts';
import { benchTiles } from './tiles.ts';
import { benchValidation } from './validation.ts';

export interface BenchOptions {
  /** Where the built-in model and data are served, with a trailing slash. */
  demoUrl: string;
  /** Only groups whose name contains this; '' = all that are not optional. */
  only: string;
}

/** What a group of measurements gets. */
export interface BenchContext {
  gpu: Gpu;
  options: BenchOptions;
  report: (row: BenchRow) => void;
}

/** Results are checked for correctness before they are timed; a wrong one throws and ends the benchmark. */
export interface BenchGroup {
  name: string;
  /** Runs only when asked for by name: it helps to tune kernels, and tells nothing of the whole. */
  optional?: boolean;
  /** Needs what only a browser has; left out where there is only a GPU. */
  browserOnly?: boolean;
  run: (context: BenchContext) => Promise<void>;
}

const GROUPS: readonly BenchGroup[] = [benchPeak, benchLinear, benchQuantising, benchLogging, benchStep, benchDecoding, benchMethods, benchSharedPrompts, benchLayer, benchValidation, benchProfile, benchProducts, benchTiles, benchAttention, benchDispatch, benchLoraBlock, benchRealStep, benchLongRun];

/** Runs the groups; rows are reported as they come. */
export async function runBench(options: BenchOptions, report: (row: BenchRow) => void): Promise<BenchDevice> {
  const { gpu, description } = await openGpu();
  for (const group of GROUPS) {
    const wanted = options.only === '' ? !group.optional : group.name.includes(options.only);
    if (!wanted || (group.browserOnly && typeof indexedDB === 'undefined')) continue;
    await group.run({ gpu, options, report });
    // What one group left in the pool must not count as the next one's memory.
    await gpu.finish();
    gpu.backend.pool.trim();
  }
  return { adapter: description, features: [...gpu.device.features].sort(), userAgent: navigator.userAgent };
}
