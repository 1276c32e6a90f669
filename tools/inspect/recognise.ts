/** What a dropped file or folder is, by the names in it. */
import { ADAPTER_CONFIG_FILE, ADAPTER_WEIGHTS_FILE } from '../../src/checkpoint/adapter.ts';
import { baseName } from '../../src/data/paths.ts';
import { LOG_NAMES } from '../../src/imports/find-logs.ts';

export type InputKind = 'model' | 'adapter' | 'log' | 'dataset' | 'settings';

export interface Recognised {
  kind: InputKind;
  /** In words: which names told. */
  because: string;
}

/** @param paths of all files, with forward slashes */
export function recognise(paths: readonly string[]): Recognised {
  const names = new Set(paths.map(baseName));
  const weights = [...names].some((name) => /\.safetensors(?:\.index\.json)?$/i.test(name) && name !== ADAPTER_WEIGHTS_FILE);
  if (names.has(ADAPTER_CONFIG_FILE)) return { kind: 'adapter', because: `it has ${ADAPTER_CONFIG_FILE}` };
  if (names.has('config.json') && weights) return { kind: 'model', because: 'it has config.json beside safetensors' };
  const log = [...names].find((name) => LOG_NAMES.includes(name) || /\.csv$/i.test(name));
  if (log !== undefined) return { kind: 'log', because: `it has ${log}` };
  return { kind: 'dataset', because: 'it is none of model folder, adapter and training log' };
}
