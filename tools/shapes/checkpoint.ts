/** Writes a checkpoint of a published shape: weights in shards with an index, config.json, and a small tokenizer's files. */
import { closeSync, copyFileSync, mkdirSync, openSync, readdirSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { layOut } from '../../src/checkpoint/safetensors.ts';
import { expectedTensors } from '../../src/families/architecture.ts';
import { openArchitecture } from '../../src/families/registry.ts';
import { cutLayers, TOKEN_FIELDS, type PublishedModel } from '../../bench/published-shapes.ts';
import { fillingOf, RandomWeights } from '../../bench/random-weights.ts';

const FIXTURES = fileURLToPath(new URL('../../tests/fixtures/', import.meta.url));

export interface ShapeOptions {
  seed: number;
  /** Layers of the language model and of the vision tower; null: all. */
  layers: number | null;
  visionLayers: number | null;
  /** A shard ends before it would grow beyond this. */
  shardBytes: number;
}

interface PlannedTensor {
  name: string;
  shape: number[];
  dtype: 'BF16' | 'F32';
}

/**
 * @returns what was written
 * @throws LorikeetError "unsupported-model" while the family is not known, and what the file system throws
 */
export function writeCheckpoint(folder: string, model: PublishedModel, options: ShapeOptions): { bytes: number; parameters: number; shards: string[] } {
  const beside = join(FIXTURES, model.fixture, 'checkpoint');
  const config = withTokens(cutLayers(model.config, options), JSON.parse(readFileSync(join(beside, 'config.json'), 'utf8')) as Record<string, unknown>);
  const architecture = openArchitecture(config, 'config.json');
  const offsetNorms = config.model_type === 'qwen3_5';
  const tensors = expectedTensors(architecture).map(({ name, shape }): PlannedTensor => ({ name, shape, dtype: fillingOf(name, offsetNorms).dtype }));
  mkdirSync(folder, { recursive: true });
  if (readdirSync(folder).length > 0) throw new Error(`${folder} is not empty.`);
  const groups = shardsOf(tensors, options.shardBytes);
  const names = groups.map((_, i) => (groups.length === 1 ? 'model.safetensors' : `model-${number(i + 1)}-of-${number(groups.length)}.safetensors`));
  const weights = new RandomWeights(options.seed);
  const weight_map: Record<string, string> = {};
  let bytes = 0;
  for (const [i, group] of groups.entries()) {
    const { header, ordered, dataBytes } = layOut(group, { format: 'pt' });
    const file = openSync(join(folder, names[i]), 'wx');
    writeAll(file, header);
    for (const { name, shape } of ordered) {
      weight_map[name] = names[i];
      for (const piece of weights.bytes(name, elements(shape), fillingOf(name, offsetNorms))) writeAll(file, piece);
    }
    closeSync(file);
    bytes += dataBytes;
  }
  if (groups.length > 1) writeFileSync(join(folder, 'model.safetensors.index.json'), `${JSON.stringify({ metadata: { total_size: bytes }, weight_map }, null, 2)}\n`);
  writeFileSync(join(folder, 'config.json'), `${JSON.stringify(config, null, 2)}\n`);
  for (const name of readdirSync(beside)) {
    if (name !== 'config.json' && !name.endsWith('.safetensors') && !name.endsWith('.index.json')) copyFileSync(join(beside, name), join(folder, name));
  }
  return { bytes, parameters: tensors.reduce((sum, { shape }) => sum + elements(shape), 0), shards: names };
}

/** The published configuration with the token ids of the tokenizer that will lie beside it. */
function withTokens(config: Record<string, unknown>, other: Record<string, unknown>): Record<string, unknown> {
  const ids = (from: Record<string, unknown>) => Object.fromEntries(TOKEN_FIELDS.filter((field) => field in from).map((field) => [field, from[field]]));
  const text = other.text_config as Record<string, unknown> | undefined;
  return { ...config, ...ids(other), ...(config.text_config ? { text_config: { ...(config.text_config as object), ...ids(text ?? {}) } } : {}) };
}

function shardsOf(tensors: readonly PlannedTensor[], limit: number): PlannedTensor[][] {
  const shards: PlannedTensor[][] = [[]];
  let size = 0;
  for (const tensor of tensors) {
    const bytes = elements(tensor.shape) * (tensor.dtype === 'F32' ? 4 : 2);
    if (size > 0 && size + bytes > limit) {
      shards.push([]);
      size = 0;
    }
    shards.at(-1)!.push(tensor);
    size += bytes;
  }
  return shards;
}

function elements(shape: readonly number[]): number {
  return shape.reduce((product, side) => product * side, 1);
}

function number(index: number): string {
  return String(index).padStart(5, '0');
}

/** A write may take less than it was given. */
function writeAll(file: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at, bytes.length - at);
}
