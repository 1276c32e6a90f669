/** Settings as layers: the schema's defaults, a preset over them, the user's own changes on top. Pure. */
import * as v from 'valibot';
import {
  DEMO_PRESET,
  ORIGINAL_PRESET,
  parseTrainingConfig,
  trainingConfigSchema,
  type TrainingConfig,
  type TrainingConfigInput,
} from '../../protocol/config.ts';
import { LorikeetError } from '../../protocol/errors.ts';
import type { SettingKey } from './fields.ts';

export type PresetName = 'lorikeet' | 'original' | 'demo';

export const PRESETS: Readonly<Record<PresetName, TrainingConfigInput>> = {
  lorikeet: {},
  original: ORIGINAL_PRESET,
  demo: DEMO_PRESET,
};

/** The user's changes; values may still be wrong (a half-typed number stays text). */
export type Overrides = Partial<Record<SettingKey, unknown>>;

export interface Layered {
  /** What each setting is at the moment, right or wrong. */
  values: Record<SettingKey, unknown>;
  /** Null while any value is wrong. */
  config: TrainingConfig | null;
  problems: Partial<Record<SettingKey, SettingProblem>>;
}

/** Why a value is refused, in a form that every language can say. */
export type SettingProblem =
  | { rule: 'min' | 'max'; bound: number }
  | { rule: 'number' | 'whole' | 'regex' | 'filled' }
  | { rule: 'other'; message: string };

/** Values of a preset over the defaults. */
export function presetConfig(preset: PresetName): TrainingConfig {
  return parseTrainingConfig(PRESETS[preset]);
}

/** Puts the layers on top of each other and checks each value. */
export function layerSettings(preset: PresetName, overrides: Overrides): Layered {
  const base = presetConfig(preset);
  const values = { ...base, ...overrides } as Record<SettingKey, unknown>;
  const problems: Layered['problems'] = {};
  for (const key of Object.keys(overrides) as SettingKey[]) {
    const problem = checkSetting(key, overrides[key]);
    if (problem) problems[key] = problem;
  }
  if (Object.keys(problems).length > 0) return { values, config: null, problems };
  try {
    return { values, config: parseTrainingConfig({ ...values, method: base.method }), problems };
  } catch (error) {
    const known = LorikeetError.from(error);
    const key = (known.place.field ?? 'learning_rate') as SettingKey;
    return { values, config: null, problems: { [key]: { rule: 'other', message: known.message } } };
  }
}

/** Checks one value alone; null when it is fine. */
export function checkSetting(key: SettingKey, value: unknown): SettingProblem | null {
  const result = v.safeParse(trainingConfigSchema.entries[key], value);
  if (!result.success) {
    const issue = result.issues[0] as { type: string; requirement?: unknown; message: string };
    if (issue.type === 'min_value' && typeof issue.requirement === 'number') return { rule: 'min', bound: issue.requirement };
    if (issue.type === 'max_value' && typeof issue.requirement === 'number') return { rule: 'max', bound: issue.requirement };
    if (issue.type === 'integer') return { rule: 'whole' };
    if (issue.type === 'min_length') return { rule: 'filled' };
    if (issue.type === 'number' || issue.type === 'finite') return { rule: 'number' };
    if (issue.type === 'union' && (value === '' || (Array.isArray(value) && value.length === 0))) return { rule: 'filled' };
    return { rule: 'other', message: issue.message };
  }
  if (key === 'target_modules' && typeof value === 'string' && !isRegex(value)) return { rule: 'regex' };
  return null;
}

/** Sets or clears one change; a value equal to the preset's is no change. */
export function withOverride(preset: PresetName, overrides: Overrides, key: SettingKey, value: unknown): Overrides {
  const next = { ...overrides };
  if (value === undefined || sameValue(value, presetConfig(preset)[key])) delete next[key];
  else next[key] = value;
  return next;
}

/** Changes that turn a preset into the given settings. */
export function overridesFor(preset: PresetName, config: TrainingConfig): Overrides {
  const base = presetConfig(preset);
  const overrides: Overrides = {};
  for (const key of Object.keys(base) as (keyof TrainingConfig)[]) {
    if (key !== 'method' && !sameValue(base[key], config[key])) overrides[key] = config[key];
  }
  return overrides;
}

/**
 * Reads a settings file: our own export, or the original scripts' flat JSON.
 * @throws LorikeetError "config" when it is no JSON object or a value is refused
 */
export function readSettingsFile(text: string): TrainingConfig {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw new LorikeetError('config', `The settings file is not valid JSON: ${(error as Error).message}`, 'Choose a JSON file of settings.');
  }
  return parseTrainingConfig(parsed);
}

/** Reads what was typed into a number field; text that is no number is kept so that it can be shown as wrong. */
export function readNumber(text: string): number | string | undefined {
  const trimmed = text.trim().replace(',', '.');
  if (trimmed === '') return undefined;
  const value = Number(trimmed);
  return Number.isFinite(value) ? value : text;
}

/** Settings that change how weights are stored: a new value needs the model loaded again. */
export const MODEL_KEYS: readonly SettingKey[] = ['load_in_4bit', 'load_in_8bit', 'quantize_vision', 'mixed_precision'];
/** Settings that change which samples are used and how long they are. */
export const DATASET_KEYS: readonly SettingKey[] = ['max_length', 'max_image_size', 'assistant_turns', 'validation_split'];

/** A string that is equal exactly when the named settings are. */
export function settingsKey(config: TrainingConfig, keys: readonly SettingKey[]): string {
  return JSON.stringify(keys.map((key) => config[key]));
}

function sameValue(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function isRegex(text: string): boolean {
  try {
    new RegExp(text);
    return true;
  } catch {
    return false;
  }
}
