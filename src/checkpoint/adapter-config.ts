/** adapter_config.json of a PEFT LoRA adapter. */
import * as v from 'valibot';
import { LorikeetError } from '../protocol/errors.ts';
import { parseStrictObject } from './strict-json.ts';

/** What of a LoraConfig can differ between our adapters; field names as in PEFT. */
export interface AdapterConfig {
  base_model_name_or_path: string | null;
  r: number;
  lora_alpha: number;
  lora_dropout: number;
  target_modules: string | string[];
  use_rslora: boolean;
}

/** Factor before B·A·x: alpha / r, or alpha / √r with rank-stabilised LoRA. */
export function loraScaling(config: Pick<AdapterConfig, 'r' | 'lora_alpha' | 'use_rslora'>): number {
  return config.lora_alpha / (config.use_rslora ? Math.sqrt(config.r) : config.r);
}

/** Text of adapter_config.json: only the fields that every PEFT release since 0.10 knows. */
export function writeAdapterConfig(config: AdapterConfig): string {
  const fields = {
    alpha_pattern: {},
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
    rank_pattern: {},
    revision: null,
    target_modules: config.target_modules,
    task_type: 'CAUSAL_LM',
    use_dora: false,
    use_rslora: config.use_rslora,
  };
  return `${JSON.stringify(fields, null, 2)}\n`;
}

const name = v.pipe(v.string(), v.minLength(1), v.maxLength(10_000));
const schema = v.object({
  peft_type: v.string(),
  base_model_name_or_path: v.nullish(v.string()),
  r: v.pipe(v.number(), v.safeInteger(), v.minValue(1), v.maxValue(65536)),
  lora_alpha: v.pipe(v.number(), v.finite()),
  lora_dropout: v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(1)), 0),
  target_modules: v.nullish(v.union([name, v.pipe(v.array(name), v.maxLength(100_000))])),
  use_rslora: v.optional(v.boolean(), false),
});

/** Fields that change what the tensors mean, with the only values that we can honour. */
const PLAIN_ONLY: Readonly<Record<string, (value: unknown) => boolean>> = {
  use_dora: isOff, use_qalora: isOff, use_bdlora: isOff, lora_bias: isOff, fan_in_fan_out: isOff,
  modules_to_save: isOff, layer_replication: isOff, trainable_token_indices: isOff, target_parameters: isOff,
  alora_invocation_tokens: isOff, rank_pattern: isOff, alpha_pattern: isOff,
  bias: (value) => isOff(value) || value === 'none',
};

/**
 * Reads adapter_config.json; other fields than those that matter are ignored.
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
  const { peft_type, base_model_name_or_path, target_modules, ...rest } = parsed.output;
  if (peft_type !== 'LORA') throw bad('peft_type', `The adapter is of type ${peft_type}, expected LORA.`, 'Only LoRA adapters can be loaded.');
  for (const [field, isPlain] of Object.entries(PLAIN_ONLY)) {
    if (Object.hasOwn(raw, field) && !isPlain(raw[field])) {
      throw bad(field, `The adapter uses ${field} = ${JSON.stringify(raw[field])}, which Lorikeet does not know.`, 'Only plain LoRA with one rank and one alpha for all modules can be loaded.');
    }
  }
  return { ...rest, base_model_name_or_path: base_model_name_or_path ?? null, target_modules: target_modules ?? [] };
}

function isOff(value: unknown): boolean {
  return value === null || value === false || (typeof value === 'object' && Object.keys(value as object).length === 0);
}
