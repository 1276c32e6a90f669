/** The clock of the calendar, which people and time servers set; performance.now() is no part of it. */
import type { Fault } from '../faults.ts';

const DAY_MS = 86_400_000;
let offset = 0;

/** Sets the clock where one of the faults says so. */
export function setClock(faults: readonly Fault[]): void {
  if (faults.includes('clock-back')) offset -= 3 * DAY_MS;
  if (faults.includes('clock-forward')) offset += 40 * DAY_MS;
}

export function installClock(): void {
  const Real = Date;
  const now = () => Real.now() + offset;
  globalThis.Date = new Proxy(Real, {
    construct: (target, args, made) => Reflect.construct(target, args.length === 0 ? [now()] : args, made) as object,
    get: (target, key, receiver) => (key === 'now' ? now : (Reflect.get(target, key, receiver) as unknown)),
  });
}
