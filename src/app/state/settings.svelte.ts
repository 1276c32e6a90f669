/** The settings of the next run: a preset and the user's changes, remembered between visits. */
import type { TrainingConfig } from '../../protocol/config.ts';
import type { SettingKey } from '../settings/fields.ts';
import { FIELDS } from '../settings/fields.ts';
import { layerSettings, overridesFor, PRESETS, withOverride, type Layered, type Overrides, type PresetName } from '../settings/layers.ts';

const STORAGE_KEY = 'lorikeet.settings';

class Settings {
  preset = $state<PresetName>('lorikeet');
  overrides = $state.raw<Overrides>({});
  readonly layered: Layered = $derived(layerSettings(this.preset, this.overrides));

  constructor() {
    const stored = readStored();
    if (!stored) return;
    this.preset = stored.preset;
    this.overrides = stored.overrides;
  }

  /** Null while a value is wrong. */
  get config(): TrainingConfig | null {
    return this.layered.config;
  }

  get changes(): number {
    return Object.keys(this.overrides).length;
  }

  get problems(): number {
    return Object.keys(this.layered.problems).length;
  }

  set(key: SettingKey, value: unknown): void {
    this.overrides = withOverride(this.preset, this.overrides, key, value);
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

  /** Puts back what was chosen before. */
  restore(preset: PresetName, overrides: Overrides): void {
    this.preset = preset;
    this.overrides = overrides;
    this.#remember();
  }

  /** Takes over a whole set of settings as changes to the present preset. */
  adopt(config: TrainingConfig): void {
    this.overrides = overridesFor(this.preset, config);
    this.#remember();
  }

  #remember(): void {
    try {
      localStorage.setItem(STORAGE_KEY, JSON.stringify({ preset: this.preset, overrides: this.overrides }));
    } catch {
      // Blocked storage costs only the memory of these settings.
    }
  }
}

function readStored(): { preset: PresetName; overrides: Overrides } | null {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(STORAGE_KEY) ?? 'null');
    if (typeof stored !== 'object' || stored === null) return null;
    const { preset, overrides } = stored as { preset?: unknown; overrides?: unknown };
    if (typeof preset !== 'string' || !Object.hasOwn(PRESETS, preset)) return null;
    const known: Overrides = {};
    if (typeof overrides === 'object' && overrides !== null) {
      for (const { key } of FIELDS) {
        if (Object.hasOwn(overrides, key)) known[key] = (overrides as Record<string, unknown>)[key];
      }
    }
    return { preset: preset as PresetName, overrides: known };
  } catch {
    return null;
  }
}

export const settings = new Settings();
