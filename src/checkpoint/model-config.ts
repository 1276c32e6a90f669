/** config.json: checked and given to the family that it names. */
import type { Architecture } from '../families/architecture.ts';
import { openArchitecture } from '../families/registry.ts';
import { parseQuantization, type StoredQuantization } from './quantization-config.ts';
import { parseStrictObject } from './strict-json.ts';

/**
 * Reads the text of a config.json.
 * @param file what errors call it
 * @throws LorikeetError "unsupported-model" for other architectures and quantisations, "file-corrupt" for values that cannot be
 */
export function readModelConfig(text: string, file = 'config.json'): { architecture: Architecture; quantization: StoredQuantization | null } {
  const raw = parseStrictObject(text, file);
  const quantization = parseQuantization(raw, file);
  return { architecture: openArchitecture(raw, file), quantization };
}

/** The architecture alone; throws as readModelConfig does. */
export function readArchitecture(text: string, file = 'config.json'): Architecture {
  return readModelConfig(text, file).architecture;
}
