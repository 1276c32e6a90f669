/** Settings as layers: the schema's defaults, a preset over them, the user's own changes on top. Pure. */
import * as v from 'valibot';
import {
  ADVISED_QUANTIZATION,
  parseTrainingConfig,
  trainingConfigSchema,
  type Method,
  type QuantizationAdvice,
  type TrainingConfig,
} from '../../protocol/config.ts';
import { compilePattern } from '../../checkpoint/pattern.ts';
import { PACE_KEYS } from '../../protocol/messages.ts';
import { presetSettings, type PresetName } from '../../protocol/presets.ts';
import { LorikeetError } from '../../protocol/errors.ts';
import type { SettingKey } from './fields.ts';

export const PRESETS: readonly PresetName[] = ['lorikeet', 'original', 'demo'];

/** Settings that are numbers by expression. */
const PATTERNS: readonly SettingKey[] = ['rank_pattern', 'alpha_pattern'];

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
  | { rule: 'number' | 'whole' | 'regex' | 'filled' | 'pattern' }
  | { rule: 'other'; message: string };

/** What the user's changes lie on. */
export interface Base {
  preset: PresetName;
  method: Method;
  /** How the loaded model's family wants its weights stored; a preset says nothing of it. */
  advice?: QuantizationAdvice;
}

/** Values of a preset over the method's defaults and what the model's family advises. */
export function presetConfig({ preset, method, advice }: Base): TrainingConfig {
  return parseTrainingConfig({ ...presetSettings(preset, method), ...(advice && ADVISED_QUANTIZATION[advice]) });
}

/** Puts the layers on top of each other and checks each value. */
export function layerSettings(base: Base, overrides: Overrides): Layered {
  const values = { ...presetConfig(base), ...overrides } as Record<SettingKey, unknown>;
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
    if (PATTERNS.includes(key) && typeof value === 'string') return { rule: 'pattern' };
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
  if (PATTERNS.includes(key) && !Object.keys(value as object).every(isRegex)) return { rule: 'regex' };
  return null;
}

/** Whether a setting follows the run's length unless the user says otherwise. The original's steps are its own. */
export function followsLength({ preset, method }: Base, key: SettingKey): boolean {
  return preset !== 'original' && PACE_KEYS.some((name) => name === key) && !Object.hasOwn(presetSettings(preset, method), key);
}

/** Sets or clears one change; a value equal to the preset's is no change, unless it would follow the run's length. */
export function withOverride(base: Base, overrides: Overrides, key: SettingKey, value: unknown): Overrides {
  const next = { ...overrides };
  if (value === undefined || (sameValue(value, presetConfig(base)[key]) && !followsLength(base, key))) delete next[key];
  else next[key] = value;
  return next;
}

/** Changes that turn a preset into the given settings of the same method. */
export function overridesFor(base: Base, config: TrainingConfig): Overrides {
  const preset = presetConfig(base);
  const overrides: Overrides = {};
  for (const key of Object.keys(preset) as (keyof TrainingConfig)[]) {
    if (key !== 'method' && !sameValue(preset[key], config[key])) overrides[key] = config[key];
  }
  return overrides;
}

/** Reads what was typed into a number field; text that is no number is kept so that it can be shown as wrong. */
export function readNumber(text: string): number | string | undefined {
  const trimmed = text.trim().replace(',', '.');
  if (trimmed === '') return undefined;
  const value = Number(trimmed);
  return Number.isFinite(value) ? value : text;
}

/** Reads numbers separated by commas; empty text is null, and text that is no number is kept so that it can be shown as wrong. */
export function readNumbers(text: string): (number | string)[] | null {
  const parts = text.split(/[,;，；\s]+/).filter(Boolean);
  return parts.length === 0 ? null : parts.map((part) => readNumber(part) ?? part);
}

/** Settings that change how weights are stored: a new value needs the model loaded again. */
export const MODEL_KEYS: readonly SettingKey[] = ['load_in_4bit', 'load_in_8bit', 'quantize_vision', 'mixed_precision'];
/** Settings that change which samples are used and how long they are. */
export const DATASET_KEYS: readonly (keyof TrainingConfig)[] = ['method', 'max_length', 'max_image_size', 'video_fps', 'video_min_frames', 'video_max_frames', 'video_max_pixels', 'assistant_turns', 'validation_split', 'box_convention', 'enable_thinking', 'labels_with_think_prefix'];

/** A string that is equal exactly when the named settings are. */
export function settingsKey(config: TrainingConfig, keys: readonly (keyof TrainingConfig)[]): string {
  return JSON.stringify(keys.map((key) => config[key]));
}

function sameValue(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function isRegex(text: string): boolean {
  try {
    compilePattern(text);
    return true;
  } catch {
    return false;
  }
}
