/**
 * An adapter with ranks and scales of its own per module, rewritten so that one rank and one scale hold for all:
 * vLLM reads no rank_pattern and no alpha_pattern and would scale such an adapter wrongly without a word.
 */
import type { AdapterTensor } from './adapter-tensor.ts';
import type { AdapterConfig } from './adapter-config.ts';
import { ADAPTER_WEIGHTS_FILE, readAdapter, writeAdapter, type Adapter, type AdapterBase } from './adapter.ts';
import { moduleRanks, rankOf } from './module-ranks.ts';
import { SafetensorsFile } from './safetensors.ts';

/**
 * The same function of x with r = the largest rank and plain alpha / r scaling: smaller factors are filled up with zeros,
 * and where a module's scale sᵢ is not the configuration's s, B becomes B · (sᵢ / s), rounded once to float32.
 */
export function uniformAdapter({ config, tensors, modules }: Adapter): Adapter {
  const ranks = moduleRanks(modules, config);
  const r = Math.max(...modules.map((path) => rankOf(ranks, path).r));
  const scale = moduleRanks([''], { ...config, rank_pattern: {}, alpha_pattern: {} }).get('')!.scale;
  const uniform: AdapterConfig = { ...config, r, lora_alpha: scale * r, use_rslora: false, rank_pattern: {}, alpha_pattern: {} };
  return {
    config: uniform,
    modules,
    tensors: tensors.map((tensor) => {
      const [, path, matrix] = /^(.+)\.lora_([AB])\.weight$/.exec(tensor.name)!;
      return matrix === 'A' ? withRows(tensor, r) : withColumns(tensor, r, rankOf(ranks, path).scale / scale);
    }),
  };
}

/** A [rᵢ, in] as [r, in]. */
function withRows({ name, shape: [, inFeatures], data }: AdapterTensor, r: number): AdapterTensor {
  const filled = new Float32Array(r * inFeatures);
  filled.set(data);
  return { name, shape: [r, inFeatures], data: filled };
}

/** B [out, rᵢ] as [out, r], times a factor. */
function withColumns({ name, shape: [outFeatures, own], data }: AdapterTensor, r: number, factor: number): AdapterTensor {
  const filled = new Float32Array(outFeatures * r);
  for (let row = 0; row < outFeatures; row++) {
    for (let k = 0; k < own; k++) filled[row * r + k] = data[row * own + k] * factor;
  }
  return { name, shape: [outFeatures, r], data: filled };
}

/**
 * The two files of an adapter in uniform form, read without its model.
 * @throws as readAdapter
 */
export async function uniformAdapterFiles(configText: string, weights: Blob): Promise<ReturnType<typeof writeAdapter>> {
  const file = await SafetensorsFile.open(weights, ADAPTER_WEIGHTS_FILE);
  const { config, tensors } = uniformAdapter(await readAdapter(configText, weights, ownModules(file)));
  return writeAdapter(config, tensors);
}

/** The modules that a file's own shapes tell of, under the names it gives them. */
function ownModules(file: SafetensorsFile): AdapterBase {
  const sizes = new Map<string, { outFeatures: number; inFeatures: number }>();
  for (const [key, { shape }] of file.tensors) {
    const [, path, matrix] = /^(?:base_model\.model\.)?(.+)\.lora_([AB])(?:\.default)?\.weight$/.exec(key) ?? [];
    if (path === undefined) continue;
    const size = sizes.get(path) ?? { outFeatures: 0, inFeatures: 0 };
    sizes.set(path, matrix === 'A' ? { ...size, inFeatures: shape[1] ?? 0 } : { ...size, outFeatures: shape[0] ?? 0 });
  }
  const linearModules = [...sizes].map(([path, size]) => ({ path, ...size, bias: false, part: 'language_model' as const, inputGroup: path, layer: null, quantizable: false }));
  return { linearModules, canonicalName: (name) => name };
}
