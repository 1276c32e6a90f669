/** The families that Lorikeet knows; one line each. */
import type { Architecture, ModelFamily } from './architecture.ts';
import { unsupported } from './config-errors.ts';
import { qwen2VL } from './qwen2-vl/index.ts';
import { qwen25VL } from './qwen2-5-vl/index.ts';
import { qwen35 } from './qwen3-5/index.ts';
import { qwen3VL } from './qwen3-vl/index.ts';

export const FAMILIES: readonly ModelFamily[] = [qwen2VL, qwen25VL, qwen3VL, qwen35];

/** What the model types of relatives are, which users may take for supported ones; the first that matches counts. */
const RELATIVES: readonly (readonly [RegExp, string])[] = [
  [/^qwen.*_moe(?:_text)?$/, 'a mixture of experts'],
  [/^qwen.*omni/, 'an Omni model, which also hears and speaks'],
  [/^qwen3_[6-9]/, 'a later generation than Qwen3.5'],
  [/^qwen3_next/, 'a mixture of experts without vision tower'],
  [/^qwen(?:2|2_5|3)(?:_audio|_asr|_tts)/, 'a speech model'],
  [/^qwen(?:2|2_5|3|3_5)(?:_text|_vl_text|_5_vl_text)?$/, 'a language model without vision tower'],
];

/** What can be trained, for messages. */
export function supportedModels(): string {
  return FAMILIES.map(({ label, modelType }) => `${label}, model_type "${modelType}"`).join('; ');
}

/**
 * The architecture that a parsed config.json describes.
 * @param file what errors call it
 * @throws LorikeetError "unsupported-model" for other architectures, "file-corrupt" for values that cannot be
 */
export function openArchitecture(raw: Readonly<Record<string, unknown>>, file: string): Architecture {
  const { model_type: type } = raw;
  const family = FAMILIES.find(({ modelType }) => modelType === type);
  if (family) return family.open(raw, file);
  const relative = typeof type === 'string' ? RELATIVES.find(([pattern]) => pattern.test(type)) : undefined;
  const what = relative ? `, ${relative[1]}` : '';
  throw unsupported(file, 'model_type', `model_type is ${JSON.stringify(type) ?? 'missing'}${what}; Lorikeet trains ${supportedModels()}.`);
}
