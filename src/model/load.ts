/** Reads a checkpoint tensor by tensor and puts the model on the GPU. */
import type { Gpu } from '../gpu/gpu.ts';
import { buildParts } from './build/registry.ts';
import { VisionLanguageModel } from './vision-language-model.ts';
import { WeightReader, type LoadOptions, type WeightFiles } from './weight-reader.ts';

/**
 * Puts the model on the GPU.
 * @throws LorikeetError "out-of-memory", and whatever reading a tensor throws
 */
export async function loadModel(gpu: Gpu, files: WeightFiles, options: LoadOptions): Promise<VisionLanguageModel> {
  const reader = new WeightReader(gpu, files, options);
  try {
    const parts = await buildParts(reader, files.architecture.config);
    await reader.fill();
    return new VisionLanguageModel(gpu, files.architecture, parts, reader.buffers);
  } catch (error) {
    for (const buffer of reader.buffers) gpu.destroyBuffer(buffer);
    throw error;
  }
}
