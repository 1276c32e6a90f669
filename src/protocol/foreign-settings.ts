/**
 * Settings files of other trainers: what is known is taken, the rest is named.
 *
 * Names after LLaMA-Factory's hparams, ms-swift's arguments and transformers' TrainingArguments; JSON, or flat YAML.
 */
import * as v from 'valibot';
import { type Method, OTHER_NAMES, parseTrainingConfig, type TrainingConfig, trainingConfigSchema } from './config.ts';
import { LorikeetError } from './errors.ts';

/** Other trainers' names of our settings. */
const NAMES: Readonly<Record<string, keyof TrainingConfig>> = {
  lora_rank: 'r',
  lora_target: 'target_modules',
  cutoff_len: 'max_length',
  max_seq_length: 'max_length',
  pref_beta: 'beta',
  pref_loss: 'loss_type',
  val_size: 'validation_split',
  split_dataset_ratio: 'validation_split',
};
/** All linear layers of the decoder, which is what is adapted where nothing is said. */
const EVERY_LAYER = ['all', 'all-linear'];
const METHODS: Readonly<Record<string, Method>> = { sft: 'sft', dpo: 'dpo', grpo: 'grpo-trl' };
const METHOD_NAMES = ['stage', 'rlhf_type'];
const BIT_NAMES = ['quantization_bit', 'quant_bits'];
/** What they say is so in any case. */
const UNDERSTOOD: Readonly<Record<string, unknown>> = { finetuning_type: 'lora', train_type: 'lora', tuner_type: 'lora', do_train: true };

export interface ForeignSettings {
  config: TrainingConfig;
  /** Names of the settings that were taken. */
  taken: string[];
  /** The others as "name = value". */
  left: string[];
}

/**
 * Reads settings of ours or of another trainer.
 * @throws LorikeetError "config": neither JSON nor flat YAML, no setting that is known, or settings that do not go together
 */
export function readSettings(text: string): ForeignSettings {
  const entries = entriesOf(text.replace(/^\uFEFF/, ''));
  if (Object.keys(entries).every(isOwn) && !Object.values(entries).some(isNumberText)) return { config: parseTrainingConfig(entries), taken: Object.keys(entries), left: [] };
  const wanted: Record<string, unknown> = {};
  const taken: string[] = [];
  const left: string[] = [];
  for (const [name, value] of Object.entries(entries)) {
    if (take(name, value, wanted)) taken.push(name);
    else if (!Object.hasOwn(UNDERSTOOD, name) || UNDERSTOOD[name] !== value) left.push(`${name.slice(0, 80)} = ${JSON.stringify(value).slice(0, 80)}`);
  }
  if (taken.length === 0) {
    throw new LorikeetError('config', `None of the file’s settings is known: ${left.slice(0, 10).join(', ')}${left.length > 10 ? ', …' : ''}.`, 'Choose a settings file of this page, of LLaMA-Factory, ms-swift or transformers.', { field: left[0]?.split(' ')[0] });
  }
  return { config: parseTrainingConfig(wanted), taken, left };
}

/** Ours, or a name that `parseTrainingConfig` reads too. */
const isOwn = (name: string) => Object.hasOwn(trainingConfigSchema.entries, name) || OTHER_NAMES.includes(name);

/** Whether a setting is understood; then it stands in `wanted`. */
function take(name: string, value: unknown, wanted: Record<string, unknown>): boolean {
  if (METHOD_NAMES.includes(name)) {
    const method = typeof value === 'string' && Object.hasOwn(METHODS, value) ? METHODS[value] : undefined;
    if (method) wanted.method = method;
    return method !== undefined;
  }
  if (BIT_NAMES.includes(name)) {
    if (value !== 4 && value !== 8) return false;
    Object.assign(wanted, { load_in_4bit: value === 4, load_in_8bit: value === 8 });
    return true;
  }
  const key = Object.hasOwn(NAMES, name) ? NAMES[name] : Object.hasOwn(trainingConfigSchema.entries, name) ? (name as keyof TrainingConfig) : undefined;
  if (key === undefined || key === 'method') return false;
  if (key === 'target_modules' && [value].flat().length === 1 && EVERY_LAYER.includes(String([value].flat()[0]))) return true;
  for (const form of formsOf(value)) {
    if (!v.safeParse(trainingConfigSchema.entries[key], form).success) continue;
    wanted[key] = form;
    return true;
  }
  return false;
}

const isNumberText = (value: unknown) => typeof value === 'string' && value.trim() !== '' && Number.isFinite(Number(value));

/** A value, and what it may mean where it is text: a number, or names with commas between. */
function formsOf(value: unknown): unknown[] {
  if (typeof value !== 'string') return [value];
  const list = value.includes(',') ? [value.split(',').map((name) => name.trim())] : [];
  return [...list, ...(isNumberText(value) ? [Number(value)] : []), value];
}

function entriesOf(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const flat = /^\s*[[{"]/.test(text) ? null : flatYaml(text);
    if (flat) return flat;
    throw new LorikeetError('config', `The settings file is neither valid JSON nor flat YAML: ${(error as Error).message}`, 'Choose a file of settings.');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new LorikeetError('config', 'The settings must be one JSON object.', 'Check the settings file.');
  return value as Record<string, unknown>;
}

/** One `name: value` a line, with comments; null for anything deeper, which no trainer's file of arguments needs. */
function flatYaml(text: string): Record<string, unknown> | null {
  // Without a prototype, a key such as "__proto__" is a key like any other.
  const entries = Object.create(null) as Record<string, unknown>;
  for (const line of text.split(/\r?\n/)) {
    const bare = line.replace(/(^|\s)#.*$/, '').trimEnd();
    if (bare.trim() === '' || bare === '---') continue;
    const match = /^([A-Za-z_][\w.-]*):(?:\s+(.*))?$/.exec(bare);
    if (!match) return null;
    entries[match[1]] = scalar((match[2] ?? '').trim());
  }
  return Object.keys(entries).length > 0 ? entries : null;
}

function scalar(text: string): unknown {
  if (text === '' || text === 'null' || text === '~') return null;
  if (/^(true|false)$/i.test(text)) return text.toLowerCase() === 'true';
  if (/^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(text)) return Number(text);
  const list = /^\[(.*)\]$/.exec(text);
  if (list) return list[1].split(',').map((entry) => scalar(entry.trim()));
  return text.replace(/^(["'])(.*)\1$/, '$2');
}
