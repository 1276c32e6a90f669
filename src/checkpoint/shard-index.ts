/** Which safetensors files make up a model: one file, or shards named by model.safetensors.index.json. */
import { LorikeetError } from '../protocol/errors.ts';
import { listNames } from './name-list.ts';
import type { SafetensorsFile } from './safetensors.ts';
import { parseStrictObject } from './strict-json.ts';

export const SINGLE_FILE = 'model.safetensors';
export const INDEX_FILE = 'model.safetensors.index.json';

/** What the index promises: tensor name -> file name. */
export type WeightMap = ReadonlyMap<string, string>;

/**
 * Parses the index.
 * @throws LorikeetError "file-corrupt"
 */
export function parseWeightMap(text: string, file = INDEX_FILE): WeightMap {
  const bad = (message: string, field: string) => new LorikeetError('file-corrupt', message, 'Download the index again.', { file, field });
  const entries = parseStrictObject(text, file).weight_map;
  if (typeof entries !== 'object' || entries === null || Array.isArray(entries)) throw bad(`${file} has no weight_map object.`, 'weight_map');
  const map = new Map<string, string>();
  for (const [tensor, shard] of Object.entries(entries)) {
    if (typeof shard !== 'string' || !/^[^/\\]+\.safetensors$/.test(shard)) {
      throw bad(`${file} names ${JSON.stringify(shard)} for tensor ${tensor}; expected a .safetensors file beside it.`, tensor);
    }
    map.set(tensor, shard);
  }
  if (map.size === 0) throw bad(`The weight_map of ${file} is empty.`, 'weight_map');
  return map;
}

/**
 * File names of a model's weights, checked against the names that are there.
 * @param index null for a model in one file
 * @throws LorikeetError "file-missing" for an absent shard, "file-corrupt" for one that the index does not know, "unsupported-model" for GGUF
 */
export function chooseShards(names: readonly string[], index: WeightMap | null): string[] {
  const present = names.filter((name) => name.endsWith('.safetensors'));
  const wanted = index ? [...new Set(index.values())].sort() : [SINGLE_FILE];
  const gguf = names.find((name) => name.endsWith('.gguf'));
  if (present.length === 0 && gguf !== undefined) {
    throw new LorikeetError('unsupported-model', `${gguf} holds weights in GGUF, which cannot be trained on.`, 'Use the original model in safetensors; Lorikeet quantises it itself.', { file: gguf });
  }
  const missing = wanted.filter((name) => !present.includes(name));
  if (missing.length) {
    const what = index ? `${missing.length} of ${wanted.length} weight files are missing: ${listNames(missing)}.` : `${SINGLE_FILE} is missing, and so is ${INDEX_FILE}.`;
    const shards = index ? '' : present.length ? ` Found only ${listNames(present)}.` : '';
    throw new LorikeetError('file-missing', what + shards, 'Choose the whole folder, and check that the download is complete.', { file: missing[0] });
  }
  const extra = present.filter((name) => !wanted.includes(name));
  if (extra.length) {
    const by = index ? INDEX_FILE : `a model in ${SINGLE_FILE}`;
    throw new LorikeetError('file-corrupt', `The folder holds weights that do not belong to ${by}: ${listNames(extra)}.`, 'Remove them or choose a folder with one model only.', { file: extra[0] });
  }
  return wanted;
}

/**
 * Checks opened shards against the index and each other.
 * @throws LorikeetError "tensor-missing" for a tensor that the index promises but its file lacks, "file-corrupt" for one that is there twice
 */
export function checkShards(shards: readonly SafetensorsFile[], index: WeightMap | null): void {
  const homes = new Map<string, string>();
  for (const shard of shards) {
    for (const tensor of shard.tensors.keys()) {
      const other = homes.get(tensor);
      if (other) throw new LorikeetError('file-corrupt', `Tensor ${tensor} is in both ${other} and ${shard.name}.`, 'Download the weights again.', { file: shard.name, field: tensor });
      homes.set(tensor, shard.name);
    }
  }
  for (const [tensor, shard] of index ?? []) {
    if (homes.get(tensor) === shard) continue;
    const found = homes.has(tensor) ? `it is in ${homes.get(tensor)}` : 'it is in no file';
    throw new LorikeetError('tensor-missing', `${INDEX_FILE} promises tensor ${tensor} in ${shard}, but ${found}.`, 'Download index and weights again, from the same place.', { file: shard, field: tensor });
  }
}
