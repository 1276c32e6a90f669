/** Checks of the engine that need a real device or much time: each gives numbers with a limit. */
import { openGpu } from '../../../src/gpu/device.ts';
import type { DeviceProfile } from '../../../src/gpu/device-shape.ts';
import type { Gpu } from '../../../src/gpu/gpu.ts';
import { formatFigure } from '../../../bench/result.ts';
import { checkOutliers } from './outliers.ts';
import { checkProducts } from './products.ts';
import { checkStep } from './step.ts';
import { checkTables } from './tables.ts';
import { checkVariants } from './variants.ts';

export interface CheckOptions {
  demoUrl: string;
  /** Only groups whose name contains this; '' = all. */
  only: string;
  /** Shape of the kernels under test. */
  profile: DeviceProfile;
}

export interface CheckRow {
  group: string;
  name: string;
  value: number;
  /** null for what is told but not judged. */
  limit: number | null;
  passed: boolean;
  unit: string;
}

export interface CheckContext {
  /** Opens a device of its own, with kernels in the shape under test or another. tfjs knows one device at a time: the one before is done with. */
  open: (profile?: DeviceProfile) => Promise<Gpu>;
  options: CheckOptions;
  /** A number that must not exceed its limit; NaN fails. */
  hold: (name: string, value: number, limit: number) => void;
  /** A number for the reader. */
  tell: (name: string, value: number, unit: string) => void;
}

export interface CheckGroup {
  name: string;
  /** Compares f16 with f32, so it needs shader-f16. */
  needsF16: boolean;
  run: (context: CheckContext) => Promise<void>;
}

const GROUPS: readonly CheckGroup[] = [checkVariants, checkProducts, checkOutliers, checkStep, checkTables];

/**
 * Runs the groups one after the other.
 * @returns the adapter's description
 * @throws Error when a group needs shader-f16 and the device lacks it; reading a result throws when the GPU refused a command before
 */
export async function runChecks(options: CheckOptions, report: (row: CheckRow) => void): Promise<string> {
  let device = '';
  for (const group of GROUPS) {
    if (!group.name.includes(options.only)) continue;
    const opened: Gpu[] = [];
    const open = async (profile = options.profile) => {
      const { gpu, description } = await openGpu({ profile });
      if (group.needsF16 && !gpu.hasF16) throw new Error(`${group.name}: ${description} has no shader-f16`);
      device = description;
      opened.push(gpu);
      return gpu;
    };
    const add = (name: string, value: number, limit: number | null, unit: string) =>
      report({ group: group.name, name, value, limit, passed: limit === null || value <= limit, unit });
    await group.run({ open, options, hold: (name, value, limit) => add(name, value, limit, ''), tell: (name, value, unit) => add(name, value, null, unit) });
    for (const gpu of opened) gpu.device.destroy();
  }
  return device;
}

/** "ok    products: nf4 256 × 2048 × 2048   4.1e-4 ≤ 1e-3" */
export function formatCheck({ group, name, value, limit, passed, unit }: CheckRow): string {
  const figure = limit === null ? `${formatFigure(value)} ${unit}` : `${value.toExponential(2)} ≤ ${limit.toExponential(2)}`;
  return `${limit === null ? '     ' : passed ? 'ok   ' : 'WRONG'} ${group}: ${name}  ${figure}`;
}
