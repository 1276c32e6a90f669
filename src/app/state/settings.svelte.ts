/** The settings of the next run: a preset and the user's changes, remembered between visits. */
import { METHODS, type Method, type QuantizationAdvice, type TrainingConfig } from '../../protocol/config.ts';
import { PACE_KEYS, type PaceKey } from '../../protocol/messages.ts';
import { appliesTo, type PresetName } from '../../protocol/presets.ts';
import type { SettingKey } from '../settings/fields.ts';
import { FIELDS } from '../settings/fields.ts';
import { followsLength, layerSettings, overridesFor, presetConfig, PRESETS, withOverride, type Base, type Layered, type Overrides } from '../settings/layers.ts';

const STORAGE_KEY = 'lorikeet.settings';
/** Settings that describe the adapter, the base and the data rather than the way of learning. */
const SHARED_BY_METHODS: ReadonlySet<string> = new Set(
  FIELDS.filter(({ group }) => group === 'lora' || group === 'precision' || group === 'data').map(({ key }) => key),
);

class Settings {
  preset = $state<PresetName>('lorikeet');
  method = $state<Method>('sft');
  overrides = $state.raw<Overrides>({});
  /** Of the family of the model that was loaded last. */
  advice = $state<QuantizationAdvice>('nf4');
  readonly layered: Layered = $derived(layerSettings(this.base, this.overrides));

  constructor() {
    const stored = readStored();
    if (!stored) return;
    this.preset = stored.preset;
    this.method = stored.method;
    this.overrides = stored.overrides;
  }

  get base(): Base {
    return { preset: this.preset, method: this.method, advice: this.advice };
  }

  /** Null while a value is wrong. */
  get config(): TrainingConfig | null {
    return this.layered.config;
  }

  /** Whether the user says how weights are to be stored. */
  get ownQuantization(): boolean {
    return 'load_in_4bit' in this.overrides || 'load_in_8bit' in this.overrides;
  }

  /** Settings that follow the run's length: neither the user nor the preset says how often. */
  get auto(): readonly PaceKey[] {
    return PACE_KEYS.filter((key) => followsLength(this.base, key) && !(key in this.overrides));
  }

  /** Those of `auto` that settings, whosever they are, leave as the preset has them. */
  autoIn(config: TrainingConfig): readonly PaceKey[] {
    const preset = presetConfig(this.base);
    return this.auto.filter((key) => config[key] === preset[key]);
  }

  get changes(): number {
    return Object.keys(this.overrides).length;
  }

  get problems(): number {
    return Object.keys(this.layered.problems).length;
  }

  set(key: SettingKey, value: unknown): void {
    this.overrides = withOverride(this.base, this.overrides, key, value);
    this.#remember();
  }

  reset(key: SettingKey): void {
    this.set(key, undefined);
  }

  /** A preset starts clean: the user's changes over another preset would be hard to see through. */
  choosePreset(preset: PresetName): void {
    this.preset = preset;
    this.overrides = {};
    this.#remember();
  }

  /** Another method keeps the changes that it can read; the learning rate and the lengths of its own are its preset's again. */
  chooseMethod(method: Method): void {
    const kept = Object.entries(this.overrides).filter(([key]) => SHARED_BY_METHODS.has(key) && appliesTo(key as SettingKey, method));
    this.method = method;
    this.overrides = Object.fromEntries(kept);
    this.#remember();
  }

  /** Puts back what was chosen before. */
  restore({ preset, method }: Base, overrides: Overrides): void {
    this.preset = preset;
    this.method = method;
    this.overrides = overrides;
    this.#remember();
  }

  /** Takes over a whole set of settings as changes to the present preset. */
  adopt(config: TrainingConfig): void {
    this.method = config.method;
    this.overrides = overridesFor(this.base, config);
    this.#remember();
  }

  #remember(): void {
    try {
      localStorage.setItem(STORAGE_KEY, JSON.stringify({ preset: this.preset, method: this.method, overrides: this.overrides }));
    } catch {
      // Blocked storage costs only the memory of these settings.
    }
  }
}

function readStored(): (Base & { overrides: Overrides }) | null {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(STORAGE_KEY) ?? 'null');
    if (typeof stored !== 'object' || stored === null) return null;
    const { preset, method, overrides } = stored as { preset?: unknown; method?: unknown; overrides?: unknown };
    if (!PRESETS.some((name) => name === preset)) return null;
    const known: Overrides = {};
    if (typeof overrides === 'object' && overrides !== null) {
      for (const { key } of FIELDS) {
        if (Object.hasOwn(overrides, key)) known[key] = (overrides as Record<string, unknown>)[key];
      }
    }
    return { preset: preset as PresetName, method: METHODS.find((name) => name === method) ?? 'sft', overrides: known };
  } catch {
    return null;
  }
}

export const settings = new Settings();
