/** PEFT adapters: adapter_config.json beside adapter_model.safetensors. */
import { invariant, LorikeetError } from '../protocol/errors.ts';
import type { AdapterTensor } from './adapter-tensor.ts';
import { parseAdapterConfig, writeAdapterConfig, type AdapterConfig } from './adapter-config.ts';
import { moduleRanks, rankOf } from './module-ranks.ts';
import { listNames } from './name-list.ts';
import { SafetensorsFile, writeSafetensors } from './safetensors.ts';
import type { Architecture } from '../families/architecture.ts';
import { toFloat32, WEIGHT_DTYPES } from './tensor-values.ts';

export const ADAPTER_CONFIG_FILE = 'adapter_config.json';
export const ADAPTER_WEIGHTS_FILE = 'adapter_model.safetensors';

/** What PEFT puts before every module path. */
const PREFIX = 'base_model.model.';

export interface Adapter {
  config: AdapterConfig;
  /** Module by module in the model's order, A before B; names without PEFT's prefix. */
  tensors: AdapterTensor[];
  /** Modules that carry the adapter, in the model's order. */
  modules: string[];
}

/** What must be known of a model to read an adapter for it. */
export type AdapterBase = Pick<Architecture, 'linearModules' | 'canonicalName'>;

/** Name of a module's A [r, in] or B [out, r] as AdapterTensor spells it. */
export function adapterTensorName(modulePath: string, matrix: 'A' | 'B'): string {
  return `${modulePath}.lora_${matrix}.weight`;
}

/** The two files of an adapter, float32. */
export function writeAdapter(config: AdapterConfig, tensors: readonly AdapterTensor[]): { [ADAPTER_CONFIG_FILE]: string; [ADAPTER_WEIGHTS_FILE]: Uint8Array<ArrayBuffer> } {
  const parts = tensors.map(({ name }) => /^(.+)\.lora_([AB])\.weight$/.exec(name) ?? ['', '', '']);
  const ranks = moduleRanks(parts.map(([, path]) => path), config);
  const named = tensors.map(({ name, shape, data }, i) => {
    const [, path, matrix] = parts[i];
    const { r } = rankOf(ranks, path);
    invariant(path && shape[matrix === 'A' ? 0 : 1] === r, `adapter tensor ${name} [${shape.join(', ')}] does not fit rank ${r}`);
    return { name: PREFIX + name, dtype: 'F32' as const, shape, data };
  });
  return { [ADAPTER_CONFIG_FILE]: writeAdapterConfig(config), [ADAPTER_WEIGHTS_FILE]: writeSafetensors(named) };
}

/**
 * Reads an adapter for a model; float16 and bf16 are widened, older module names and ".default." keys accepted.
 * @throws LorikeetError "adapter" for unknown modules, half pairs, wrong ranks or shapes, numbers that are not finite; "file-corrupt"
 */
export async function readAdapter(configText: string, weights: Blob, model: AdapterBase): Promise<Adapter> {
  const config = parseAdapterConfig(configText);
  const file = await SafetensorsFile.open(weights, ADAPTER_WEIGHTS_FILE);
  const keys = findMatrices(file, model);
  const known = new Set(model.linearModules.map(({ path }) => path));
  const unknown = [...keys.keys()].filter((path) => !known.has(path));
  if (unknown.length) {
    const field = keys.get(unknown[0])!.values().next().value!;
    if (unknown.includes('lm_head')) {
      throw bad('The adapter changes lm_head, which this model shares with its embedding table.', 'Load it with the base model it was trained on, or train one without lm_head.', field);
    }
    throw bad(`The adapter was made for another model: this one has no ${listNames(unknown)}.`, 'Load it with the base model it was trained on.', field);
  }
  if (keys.size === 0) throw bad('The adapter file holds no LoRA matrices.', 'Save the adapter again with PEFT.', '');
  const tensors: AdapterTensor[] = [];
  const adapted = model.linearModules.filter(({ path }) => keys.has(path));
  const ranks = moduleRanks(adapted.map(({ path }) => path), config, 'adapter');
  for (const { path, inFeatures, outFeatures } of adapted) {
    for (const matrix of ['A', 'B'] as const) {
      const key = keys.get(path)!.get(matrix);
      if (key === undefined) throw bad(`Module ${path} lacks lora_${matrix}.`, 'Save the adapter again; its file is incomplete.', path);
      const { r } = rankOf(ranks, path);
      const shape: [number, number] = matrix === 'A' ? [r, inFeatures] : [outFeatures, r];
      tensors.push({ name: adapterTensorName(path, matrix), shape, data: await readMatrix(file, key, shape) });
    }
  }
  return { config, tensors, modules: adapted.map(({ path }) => path) };
}

/** Module path -> matrix -> key in the file. */
function findMatrices(file: SafetensorsFile, model: AdapterBase): Map<string, Map<'A' | 'B', string>> {
  const found = new Map<string, Map<'A' | 'B', string>>();
  for (const key of file.tensors.keys()) {
    const parts = /^(?:base_model\.model\.)?(.+)\.lora_([AB])(?:\.default)?\.weight$/.exec(key);
    if (!parts) throw bad(`The adapter holds ${key}, which is no plain LoRA matrix.`, 'Only plain LoRA adapters can be loaded.', key);
    const path = model.canonicalName(parts[1]);
    const matrix = parts[2] as 'A' | 'B';
    const pair = found.get(path) ?? new Map<'A' | 'B', string>();
    const other = pair.get(matrix);
    if (other !== undefined) throw bad(`${other} and ${key} are the same matrix.`, 'Save the adapter again with PEFT.', key);
    found.set(path, pair.set(matrix, key));
  }
  return found;
}

async function readMatrix(file: SafetensorsFile, key: string, expected: readonly number[]): Promise<Float32Array> {
  const { dtype, shape } = file.info(key);
  if (shape.join() !== expected.join()) {
    throw bad(`${key} has shape [${shape.join(', ')}], expected [${expected.join(', ')}].`, 'Rank and base model must be those of adapter_config.json.', key);
  }
  if (!WEIGHT_DTYPES.includes(dtype)) throw bad(`${key} has dtype ${dtype}, expected ${WEIGHT_DTYPES.join(', ')}.`, 'Save the adapter in float32.', key);
  const values = toFloat32(await file.readTensor(key), { file: file.name, field: key });
  const at = values.findIndex((value) => !Number.isFinite(value));
  if (at >= 0) throw bad(`${key} holds ${values[at]} at position ${at}.`, 'The run that made it diverged: use an earlier checkpoint.', key);
  return values;
}

function bad(message: string, advice: string, field: string): LorikeetError {
  return new LorikeetError('adapter', message, advice, { file: ADAPTER_WEIGHTS_FILE, field });
}
