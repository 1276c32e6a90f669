/** The families that Lorikeet knows; one line each. */
import type { Architecture, ModelFamily } from './architecture.ts';
import { unsupported } from './config-errors.ts';
import { qwen3VL } from './qwen3-vl/index.ts';

export const FAMILIES: readonly ModelFamily[] = [qwen3VL];

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
  const family = FAMILIES.find(({ modelType }) => modelType === raw.model_type);
  if (!family) throw unsupported(file, 'model_type', `model_type is ${JSON.stringify(raw.model_type) ?? 'missing'}; Lorikeet trains ${supportedModels()}.`);
  return family.open(raw, file);
}
