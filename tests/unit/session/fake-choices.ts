/** Kernels whose races are won as the test says. */
import type { TunedClass } from '../../../src/protocol/tuning.ts';
import type { Choices, KernelChoices } from '../../../src/session/engine.ts';

export class FakeChoices implements KernelChoices {
  readonly version = 1;
  classes = ['product: a', 'product: b', 'attention: c'];
  inForce: Choices = {};
  /** Variants that this device cannot run. */
  lacking: readonly string[] = [];
  readonly raced: string[] = [];
  /** Runs before a verdict. */
  duringRace: (key: string) => Promise<void> | void = () => undefined;

  use(choices: Choices): string[] {
    const all = Object.entries(choices);
    this.inForce = Object.fromEntries(all.filter(([, variant]) => !this.lacking.includes(variant)));
    return all.filter(([, variant]) => this.lacking.includes(variant)).map(([key]) => key);
  }

  async race(key: string, ended: () => boolean): Promise<TunedClass | null> {
    this.raced.push(key);
    await this.duringRace(key);
    if (ended()) return null;
    return { key, variant: `fast ${key.slice(-1)}`, usual: false, milliseconds: 1, share: 0.5 };
  }
}
