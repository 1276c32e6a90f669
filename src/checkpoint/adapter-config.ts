/** adapter_config.json of a PEFT LoRA adapter. */
import * as v from 'valibot';
import { LorikeetError } from '../protocol/errors.ts';
import type { RankConfig } from './module-ranks.ts';
import { parseStrictObject } from './strict-json.ts';

/** What of a LoraConfig can differ between our adapters; field names as in PEFT. */
export interface AdapterConfig extends RankConfig {
  base_model_name_or_path: string | null;
  lora_dropout: number;
  target_modules: string | string[];
}

/** More keys than any model has linear layers. */
const MAX_PATTERN_KEYS = 4096;

/** Text of adapter_config.json: only the fields that every PEFT release since 0.10 knows. */
export function writeAdapterConfig(config: AdapterConfig): string {
  const fields = {
    alpha_pattern: config.alpha_pattern ?? {},
    auto_mapping: null,
    base_model_name_or_path: config.base_model_name_or_path,
    bias: 'none',
    fan_in_fan_out: false,
    inference_mode: true,
    init_lora_weights: true,
    layer_replication: null,
    layers_pattern: null,
    layers_to_transform: null,
    lora_alpha: config.lora_alpha,
    lora_dropout: config.lora_dropout,
    modules_to_save: null,
    peft_type: 'LORA',
    r: config.r,
    rank_pattern: config.rank_pattern ?? {},
    revision: null,
    target_modules: config.target_modules,
    task_type: 'CAUSAL_LM',
    use_dora: false,
    use_rslora: config.use_rslora,
  };
  return `${JSON.stringify(fields, null, 2)}\n`;
}

/** Whether a text is an adapter's settings, of whatever type and whether or not they can be used. */
export function isAdapterConfig(text: string): boolean {
  try {
    const value = JSON.parse(text) as unknown;
    return typeof value === 'object' && value !== null && Object.hasOwn(value, 'peft_type');
  } catch {
    return false;
  }
}

const name = v.pipe(v.string(), v.minLength(1), v.maxLength(10_000));
const rank = v.pipe(v.number(), v.safeInteger(), v.minValue(1), v.maxValue(65536));
/** Settings allow no more either; what is beyond was written by a program that went wrong. */
const alpha = v.pipe(v.number(), v.minValue(-1e6), v.maxValue(1e6));
/** The first matching key counts, but JavaScript moves keys that are whole numbers to the front. */
const patternKey = v.pipe(name, v.regex(/\D/, 'a key may not be a whole number; write it with what stands before it, such as "mlp.0"'));
const pattern = <Value extends v.GenericSchema<number, number>>(value: Value) =>
  v.pipe(v.record(patternKey, value), v.check((entries) => Object.keys(entries).length <= MAX_PATTERN_KEYS, `has more than ${MAX_PATTERN_KEYS} keys`));

const schema = v.object({
  peft_type: v.string(),
  base_model_name_or_path: v.nullish(v.string()),
  r: rank,
  lora_alpha: alpha,
  lora_dropout: v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(1)), 0),
  target_modules: v.nullish(v.union([name, v.pipe(v.array(name), v.maxLength(100_000))])),
  use_rslora: v.optional(v.boolean(), false),
  rank_pattern: v.nullish(pattern(rank)),
  alpha_pattern: v.nullish(pattern(alpha)),
});

/**
 * Fields that may hold anything: they say how the adapter was made or is to be handled, not what its tensors mean.
 * Which modules were chosen (exclude_modules, layers_to_transform) is read from the tensors themselves.
 */
const HARMLESS: ReadonlySet<string> = new Set([
  'auto_mapping', 'revision', 'task_type', 'inference_mode', 'peft_version', 'runtime_config', 'megatron_config', 'megatron_core',
  'exclude_modules', 'layers_to_transform', 'layers_pattern', 'loftq_config', 'eva_config', 'corda_config', 'lora_ga_config', 'qalora_group_size',
]);
/** Starts that leave the base weights alone; others, such as "pissa" and "olora", subtract the start from them. */
const PLAIN_STARTS: readonly unknown[] = [true, false, null, 'gaussian', 'orthogonal', 'eva'];

/** Any other field must be switched off: what it would do to the tensors is not known here. */
function isPlain(field: string, value: unknown): boolean {
  if (Object.hasOwn(schema.entries, field) || HARMLESS.has(field)) return true;
  if (field === 'init_lora_weights') return PLAIN_STARTS.includes(value);
  return isOff(value) || (field === 'bias' && value === 'none');
}

/**
 * Reads adapter_config.json; fields that could change what the tensors mean must be switched off.
 * @throws LorikeetError "file-corrupt" when it is no JSON, "adapter" when it describes something other than plain LoRA
 */
export function parseAdapterConfig(text: string, file = 'adapter_config.json'): AdapterConfig {
  const raw = parseStrictObject(text, file);
  const bad = (field: string, message: string, advice: string) => new LorikeetError('adapter', message, advice, { file, field });
  const parsed = v.safeParse(schema, raw);
  if (!parsed.success) {
    const field = v.getDotPath(parsed.issues[0]) ?? '';
    throw bad(field, `${file}, ${field}: ${parsed.issues[0].message}.`, 'Save the adapter again with PEFT.');
  }
  const { peft_type, base_model_name_or_path, target_modules, rank_pattern, alpha_pattern, ...rest } = parsed.output;
  if (peft_type !== 'LORA') throw bad('peft_type', `The adapter is of type ${peft_type}, expected LORA.`, 'Only LoRA adapters can be loaded.');
  for (const [field, value] of Object.entries(raw)) {
    if (isPlain(field, value)) continue;
    throw bad(field, `The adapter uses ${field.slice(0, 80)} = ${JSON.stringify(value).slice(0, 200)}, which Lorikeet does not know.`, 'Only plain LoRA can be loaded; merge this adapter into its base with PEFT and train the merged model.');
  }
  return {
    ...rest,
    base_model_name_or_path: base_model_name_or_path ?? null,
    target_modules: target_modules ?? [],
    rank_pattern: rank_pattern ?? {},
    alpha_pattern: alpha_pattern ?? {},
  };
}

function isOff(value: unknown): boolean {
  return value === null || value === false || (typeof value === 'object' && Object.keys(value as object).length === 0);
}
