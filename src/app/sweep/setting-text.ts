/** Settings of a sweep's run in few words. */
import type { SweepSettings } from '../../protocol/sweep.ts';
import { formatSetting } from '../format/numbers.ts';

/** A value as people read it. */
export function valueText(value: unknown): string {
  if (typeof value === 'number') return formatSetting(value);
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** "learning_rate 1e-4, r 16" */
export function settingText(settings: SweepSettings): string {
  return Object.entries(settings)
    .map(([key, value]) => `${key} ${valueText(value)}`)
    .join(', ')
    .slice(0, 90);
}
