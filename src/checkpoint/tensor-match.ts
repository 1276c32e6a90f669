/** Compares the headers of weight files with what the configuration asks for, before anything is loaded. */
import { expectedTensors, type Architecture } from '../families/architecture.ts';
import { TEXT, VISION } from '../families/tensor-names.ts';
import { LorikeetError } from '../protocol/errors.ts';
import { findQuantized, type QuantizedLinear, type TensorLocation } from './bnb-tensors.ts';
import { listNames } from './name-list.ts';
import type { StoredQuantization } from './quantization-config.ts';
import type { SafetensorsFile } from './safetensors.ts';
import { WEIGHT_DTYPES } from './tensor-values.ts';

export interface TensorMatch {
  /** Published tensor name -> file and the name used in it. */
  locations: ReadonlyMap<string, TensorLocation>;
  /** Path of a linear layer -> its weight, where that is quantised in the files. */
  quantized: ReadonlyMap<string, QuantizedLinear>;
  /** Tensors that nobody asked for. */
  notes: string[];
}

/**
 * Finds every expected tensor, under its published or an older name.
 * @param quantization of the checkpoint; null for full precision
 * @throws LorikeetError "tensor-missing", "tensor-shape" (wrong shape or dtype), "file-corrupt" (one tensor under two names), "unsupported-model"
 */
export async function matchTensors(architecture: Architecture, shards: readonly SafetensorsFile[], quantization: StoredQuantization | null): Promise<TensorMatch> {
  const found = new Map<string, TensorLocation>();
  for (const file of shards) {
    for (const name of file.tensors.keys()) {
      if (architecture.ignored(name)) continue;
      const published = architecture.canonicalName(name);
      const other = found.get(published);
      if (other) {
        throw new LorikeetError('file-corrupt', `${other.name} in ${other.file.name} and ${name} in ${file.name} are the same tensor.`, 'Choose a folder with one model only.', { file: file.name, field: name });
      }
      found.set(published, { file, name });
    }
  }
  const quantized = new Map<string, QuantizedLinear>();
  for (const module of quantization ? architecture.linearModules : []) {
    const weight = await findQuantized(module, found);
    if (weight) quantized.set(module.path, weight);
  }
  const expected = expectedTensors(architecture).filter(({ name }) => !(name.endsWith('.weight') && quantized.has(name.slice(0, -'.weight'.length))));
  const missing = expected.filter(({ name }) => !found.has(name)).map(({ name }) => name);
  if (missing.length) {
    const advice = missing.includes('lm_head.weight') && missing.length === 1
      ? 'If the model shares its embedding table, config.json must say "tie_word_embeddings": true.'
      : 'Check that config.json belongs to these weights and that the download is complete.';
    const files = shards.length === 1 ? shards[0].name : `the ${shards.length} weight files`;
    const message = `${missing.length} of ${expected.length} tensors are missing from ${files}: ${listNames(missing)}.${fewerLayers(expected.map(({ name }) => name), found)}`;
    throw new LorikeetError('tensor-missing', message, advice, { file: shards[0].name, field: missing[0] });
  }
  const locations: [string, TensorLocation][] = [];
  for (const { name: published, shape } of expected) {
    const location = found.get(published)!;
    const { file, name } = location;
    const info = file.info(name);
    const place = { file: file.name, field: name };
    if (info.shape.join() !== shape.join()) {
      throw new LorikeetError('tensor-shape', `Tensor ${name} of ${file.name} has shape [${info.shape.join(', ')}], config.json asks for [${shape.join(', ')}].`, 'config.json and the weights belong to different models.', place);
    }
    if (!WEIGHT_DTYPES.includes(info.dtype)) {
      throw new LorikeetError('tensor-shape', `Tensor ${name} of ${file.name} has dtype ${info.dtype}, expected ${WEIGHT_DTYPES.join(', ')}.`, 'Use the original, unquantised weights; Lorikeet quantises them itself.', place);
    }
    locations.push([published, location]);
    found.delete(published);
  }
  const notes: string[] = [];
  if (architecture.config.tieWordEmbeddings && found.delete('lm_head.weight')) {
    notes.push('lm_head.weight is ignored: config.json ties it to the embedding table.');
  }
  if (found.size) notes.push(`${found.size} tensors are not part of the model and are ignored: ${listNames([...found.values()].map(({ name }) => name))}.`);
  return { locations: new Map(locations), quantized, notes };
}

/** Says so where config.json promises more layers than the files hold: the last ones lack every tensor. */
function fewerLayers(expected: readonly string[], found: ReadonlyMap<string, unknown>): string {
  const layersOf = (names: Iterable<string>, stack: string) => new Set([...names].flatMap((name) => (name.startsWith(`${stack}.`) ? [Number.parseInt(name.slice(stack.length + 1), 10)] : []))).size;
  return [[`${TEXT}.layers`, 'decoder layers'], [`${VISION}.blocks`, 'vision blocks']]
    .map(([stack, what]) => ({ what, promised: layersOf(expected, stack), held: layersOf(found.keys(), stack) }))
    .map(({ what, promised, held }) => (held < promised ? ` config.json promises ${promised} ${what}, the weights hold ${held}.` : ''))
    .join('');
}
