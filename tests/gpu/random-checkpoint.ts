/** A checkpoint of any config.json with random weights. */
import { BlobFileSource } from '../../src/checkpoint/file-source.ts';
import { readArchitecture } from '../../src/checkpoint/model-config.ts';
import { ModelFiles } from '../../src/checkpoint/model-files.ts';
import { writeSafetensors } from '../../src/checkpoint/safetensors.ts';
import { expectedTensors } from '../../src/families/architecture.ts';
import { noise } from './open.ts';

export interface RandomCheckpoint {
  /** Every tensor by its published name, row-major. */
  weights: Map<string, Float32Array>;
  files: ModelFiles;
}

/**
 * Weights of usual size: gains near 1, matrices near 1 / √inputs.
 * @param config text of a config.json
 */
export async function randomCheckpoint(config: string): Promise<RandomCheckpoint> {
  const weights = new Map<string, Float32Array>();
  const tensors = expectedTensors(readArchitecture(config)).map(({ name, shape }, i) => {
    const size = shape.reduce((product, n) => product * n, 1);
    const isGain = shape.length === 1 && name.endsWith('.weight');
    const scale = shape.length === 1 ? 0.2 : 2 / Math.sqrt(size / shape[0]);
    const data = noise(size, i + 1).map((value) => value * scale + (isGain ? 1 : 0));
    weights.set(name, data);
    return { name, dtype: 'F32' as const, shape, data };
  });
  const source = new BlobFileSource([
    { path: 'config.json', file: new Blob([config]) },
    { path: 'tokenizer.json', file: new Blob(['{}']) },
    { path: 'model.safetensors', file: new Blob([writeSafetensors(tensors)]) },
  ]);
  return { weights, files: await ModelFiles.open(source) };
}
