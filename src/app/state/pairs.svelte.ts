/** Preference pairs made from the loaded samples, before they are used. */
import { LorikeetError, type ErrorRecord } from '../../protocol/errors.ts';
import { PAIR_KINDS, type MadePairsSummary, type PairKind, type PairSettings } from '../../protocol/messages.ts';
import { dataset } from './dataset.svelte.ts';
import { settings } from './settings.svelte.ts';
import { trainer } from './trainer.svelte.ts';

class Pairs {
  kinds = $state.raw<readonly PairKind[]>(PAIR_KINDS);
  seed = $state<unknown>(42);
  perSample = $state<unknown>(1);
  made = $state.raw<MadePairsSummary | null>(null);
  making = $state(false);
  error = $state.raw<ErrorRecord | null>(null);
  /** The dataset that the pairs were made from. */
  #madeOf = -1;

  /** Null while something is wrong with it. */
  get wanted(): PairSettings | null {
    const { kinds, seed, perSample } = this;
    const whole = (value: unknown, min: number): value is number => Number.isInteger(value) && (value as number) >= min && (value as number) <= 2 ** 32 - 1;
    return kinds.length > 0 && whole(seed, 0) && whole(perSample, 1) ? { kinds: [...kinds], seed, perSample } : null;
  }

  /** True when another dataset has been loaded since. */
  get stale(): boolean {
    return this.made !== null && this.#madeOf !== dataset.version;
  }

  toggle(kind: PairKind): void {
    this.kinds = PAIR_KINDS.filter((name) => (name === kind) !== this.kinds.includes(name));
  }

  async make(): Promise<void> {
    const { wanted } = this;
    const config = settings.config;
    if (!wanted || !config || this.making) return;
    this.making = true;
    this.error = null;
    try {
      const version = dataset.version;
      this.made = await trainer.request({ type: 'makePairs', settings: wanted, config });
      this.#madeOf = version;
    } catch (error) {
      this.made = null;
      this.error = LorikeetError.from(error).toRecord();
    } finally {
      this.making = false;
    }
  }

  /** Makes the pairs the loaded dataset, and DPO the method; true when there is something to train on. */
  async use(): Promise<boolean> {
    const { made } = this;
    if (!made) return false;
    if (settings.method !== 'dpo') settings.chooseMethod('dpo');
    const config = settings.config;
    if (!config) return false;
    const usable = await dataset.load({ kind: 'files', ...made.files }, config);
    if (usable) this.made = null;
    return usable;
  }
}

export const pairs = new Pairs();
