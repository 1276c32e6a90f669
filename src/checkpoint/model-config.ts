/** config.json: checked and given to the family that it names. */
import type { Architecture } from '../families/architecture.ts';
import { unsupported } from '../families/config-errors.ts';
import { openArchitecture } from '../families/registry.ts';
import { parseStrictObject } from './strict-json.ts';

/**
 * Reads the text of a config.json.
 * @param file what errors call it
 * @throws LorikeetError "unsupported-model" for other architectures, "file-corrupt" for values that cannot be
 */
export function readArchitecture(text: string, file = 'config.json'): Architecture {
  const raw = parseStrictObject(text, file);
  if (raw.quantization_config !== undefined && raw.quantization_config !== null) {
    throw unsupported(file, 'quantization_config', 'The weights are already quantised.', 'Use the original bf16 model; Lorikeet quantises it itself.');
  }
  return openArchitecture(raw, file);
}
