/** A model of a published shape with random packed weights: nothing is read, and nothing is quantised. */
import { expectedTensors, type Architecture } from '../src/families/architecture.ts';
import { openArchitecture } from '../src/families/registry.ts';
import type { Gpu } from '../src/gpu/gpu.ts';
import { loadModel } from '../src/model/load.ts';
import type { VisionLanguageModel } from '../src/model/vision-language-model.ts';
import type { WeightFiles } from '../src/model/weight-reader.ts';
import { invariant } from '../src/protocol/errors.ts';
import { cutLayers, PUBLISHED } from './published-shapes.ts';
import { RandomNf4 } from './random-nf4.ts';
import { fillingOf, RandomWeights } from './random-weights.ts';

/** Control tokens, counted from the end of the vocabulary. */
const TOKENS = { image_token_id: 281, video_token_id: 280, vision_start_token_id: 284, vision_end_token_id: 283 };
const SEED = 1;

/** Linear layers of NF4, everything else in bfloat16. */
function randomFiles(architecture: Architecture): WeightFiles {
  const shapes = new Map(expectedTensors(architecture).map(({ name, shape }) => [name, shape]));
  const modules = new Map(architecture.linearModules.map((module) => [module.path, module]));
  const [nf4, random] = [new RandomNf4(SEED), new RandomWeights(SEED)];
  const elements = (name: string) => shapes.get(name)!.reduce((product, side) => product * side, 1);
  const offsetNorms = architecture.config.modelType === 'qwen3_5';
  const bytesOf = (name: string) => {
    const filling = fillingOf(name, offsetNorms);
    const bytes = new Uint8Array(elements(name) * (filling.dtype === 'F32' ? 4 : 2));
    let at = 0;
    for (const piece of random.bytes(name, elements(name), filling)) {
      bytes.set(piece, at);
      at += piece.length;
    }
    return { dtype: filling.dtype, bytes };
  };
  return {
    architecture,
    fileBytes: 0,
    info: (name) => ({ name, dtype: fillingOf(name, offsetNorms).dtype, shape: shapes.get(name)!, start: 0, end: 0 }),
    readTensor: (name) => Promise.resolve({ ...bytesOf(name), shape: shapes.get(name)! }),
    readLinear: ({ path }) => {
      const { outFeatures, inFeatures } = modules.get(path)!;
      return Promise.resolve({ form: 'packed', weight: nf4.weight(outFeatures, inFeatures) });
    },
    linearBytes: () => 0,
    readWeights: (name) => {
      const { dtype, bytes } = bytesOf(name);
      return Promise.resolve(dtype === 'F32' ? new Float32Array(bytes.buffer) : new Uint16Array(bytes.buffer));
    },
    readRowWeights: (name, r0, r1) => {
      const { dtype, bytes } = bytesOf(name);
      const row = bytes.length / shapes.get(name)![0];
      const part = bytes.slice(r0 * row, r1 * row);
      return Promise.resolve(dtype === 'F32' ? new Float32Array(part.buffer) : new Uint16Array(part.buffer));
    },
    async *streamTensor(name, chunkBytes = Infinity) {
      const { bytes } = bytesOf(name);
      for (let at = 0; at < bytes.length; at += chunkBytes) yield { offset: at, bytes: bytes.slice(at, at + chunkBytes) };
    },
  };
}

/** For devices that take minutes for a layer: layers of the decoder and blocks of the tower, and tokens that the model knows. */
export interface Cut {
  layers: number;
  vocabulary: number;
}

/** @param name of PUBLISHED */
export function randomModel(gpu: Gpu, name: string, cut: Cut | null): Promise<VisionLanguageModel> {
  const published = PUBLISHED[name];
  invariant(published, `no published shape is called ${name}`);
  const config = cutLayers(published.config, { layers: cut?.layers ?? null, visionLayers: cut?.layers ?? null });
  const text = (config.text_config ?? config) as { vocab_size: number };
  if (cut) text.vocab_size = cut.vocabulary;
  const tokens = Object.fromEntries(Object.entries(TOKENS).map(([field, back]) => [field, text.vocab_size - back]));
  return loadModel(gpu, randomFiles(openArchitecture({ ...config, ...tokens }, 'config.json')), { kindOf: () => 'nf4' });
}
