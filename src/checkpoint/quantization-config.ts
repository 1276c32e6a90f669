/** config.json's quantization_config: what bitsandbytes made is read as it is, everything else refused by name. */
import * as v from 'valibot';
import { unsupported } from '../families/config-errors.ts';

/** How a checkpoint's linear layers were quantised before it was saved. */
export interface StoredQuantization {
  method: 'bitsandbytes';
  bits: 4 | 8;
}

const ADVICE = 'Use the original bf16 model; Lorikeet quantises it itself.';
const OTHERS: Readonly<Record<string, string>> = {
  gptq: 'GPTQ', awq: 'AWQ', fp8: 'FP8', fbgemm_fp8: 'FP8 (FBGEMM)', 'compressed-tensors': 'compressed-tensors', gguf: 'GGUF', hqq: 'HQQ', aqlm: 'AQLM',
  quanto: 'Quanto', torchao: 'torchao', eetq: 'EETQ', higgs: 'HIGGS', vptq: 'VPTQ', spqr: 'SpQR', quark: 'Quark', mxfp4: 'MXFP4', auto_round: 'AutoRound', modelopt: 'ModelOpt',
};

const schema = v.object({
  quant_method: v.optional(v.string()),
  load_in_4bit: v.optional(v.boolean(), false),
  load_in_8bit: v.optional(v.boolean(), false),
  bnb_4bit_quant_type: v.optional(v.string()),
});

/**
 * @param config the parsed config.json
 * @returns null for a checkpoint in full precision
 * @throws LorikeetError "unsupported-model" naming the quantisation
 */
export function parseQuantization(config: Readonly<Record<string, unknown>>, file: string): StoredQuantization | null {
  if (config.quantization !== undefined && config.quantization !== null) {
    throw unsupported(file, 'quantization', 'The weights were quantised by MLX, which Lorikeet does not read.', ADVICE);
  }
  const raw = config.quantization_config;
  if (raw === undefined || raw === null) return null;
  const field = 'quantization_config';
  const parsed = v.safeParse(schema, raw);
  if (!parsed.success) throw unsupported(file, field, `The weights are already quantised, in a way that cannot be read: ${parsed.issues[0].message}.`, ADVICE);
  const { quant_method, load_in_4bit, load_in_8bit, bnb_4bit_quant_type } = parsed.output;
  // Releases of transformers before 4.34 named no method.
  const method = quant_method ?? (load_in_4bit || load_in_8bit ? 'bitsandbytes' : 'unknown');
  if (method !== 'bitsandbytes') {
    const name = OTHERS[method.toLowerCase().replaceAll('-', '_')] ?? OTHERS[method.toLowerCase()] ?? `"${method.slice(0, 80)}"`;
    throw unsupported(file, `${field}.quant_method`, `The weights are already quantised with ${name}; only bitsandbytes' NF4 and int8 can be trained on.`, ADVICE);
  }
  if (load_in_4bit && load_in_8bit) throw unsupported(file, field, 'quantization_config says both load_in_4bit and load_in_8bit.', ADVICE);
  if (load_in_4bit && bnb_4bit_quant_type !== undefined && bnb_4bit_quant_type !== 'nf4') throw refuseFp4(file, `${field}.bnb_4bit_quant_type`, bnb_4bit_quant_type);
  if (!load_in_4bit && !load_in_8bit) throw unsupported(file, field, 'quantization_config names bitsandbytes, but neither load_in_4bit nor load_in_8bit is true.', ADVICE);
  return { method, bits: load_in_4bit ? 4 : 8 };
}

/** The error for bitsandbytes' other 4-bit code. */
export function refuseFp4(file: string, field: string, type = 'fp4') {
  return unsupported(file, field, `The weights are quantised with bitsandbytes' 4-bit code ${type.slice(0, 20).toUpperCase()}; only NF4 can be trained on.`, `${ADVICE} Or quantise it again with bnb_4bit_quant_type="nf4".`);
}
