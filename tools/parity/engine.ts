/** Opens checkpoints of the folder under test on the GPU and turns stored samples into batches. */
import { readAdapter, type Adapter } from '../../src/checkpoint/adapter.ts';
import type { FileSource } from '../../src/checkpoint/file-source.ts';
import { ModelFiles } from '../../src/checkpoint/model-files.ts';
import { moduleRanks, rankOf } from '../../src/checkpoint/module-ranks.ts';
import type { Architecture, LinearModule } from '../../src/families/architecture.ts';
import { openGpu } from '../../src/gpu/device.ts';
import type { Gpu } from '../../src/gpu/gpu.ts';
import { headPieces, pieceLogits } from '../../src/kernels/head-pieces.ts';
import { loadModel as load } from '../../src/model/load.ts';
import { passContext } from '../../src/model/parts/pass-context.ts';
import type { ActivationProbe } from '../../src/model/parts/vision-tower.ts';
import type { VisionLanguageModel } from '../../src/model/vision-language-model.ts';
import type { Processor } from '../../src/processing/processor.ts';
import { picturesOf } from '../../src/protocol/media.ts';
import type { PackedBatch } from '../../src/processing/types.ts';
import type { WeightKind } from '../../src/quantization/packed-weight.ts';
import { AdaptedModel } from '../../src/training/adapted-model.ts';
import type { Folder, Json } from './folder.ts';
import { toSample } from './processing-checks.ts';

let opened: Promise<Gpu> | null = null;

/** One device for all checks. */
export function sharedGpu(): Promise<Gpu> {
  opened ??= openGpu().then(({ gpu }) => gpu);
  return opened;
}

/** Makes an open device that one, before the first check. */
export function shareGpu(gpu: Gpu): void {
  opened = Promise.resolve(gpu);
}

/** A checkpoint folder inside the folder under test. */
export function checkpointSource(folder: Folder, checkpoint: string): FileSource {
  const prefix = `${checkpoint}/`;
  return {
    names: () => folder.list(prefix).map((path) => path.slice(prefix.length)),
    blob: (name) => folder.blob(prefix + name),
    text: (name) => folder.text(prefix + name),
  };
}

export async function loadModel(folder: Folder, checkpoint: string, kindOf: (module: LinearModule) => WeightKind): Promise<VisionLanguageModel> {
  return load(await sharedGpu(), await ModelFiles.open(checkpointSource(folder, checkpoint)), { kindOf });
}

export async function openAdapter(folder: Folder, path: string, model: VisionLanguageModel): Promise<Adapter> {
  const config = await folder.text(`${path}/adapter_config.json`);
  return readAdapter(config ?? '', await folder.blob(`${path}/adapter_model.safetensors`), model.architecture);
}

/** The model with the stored adapter attached. */
export async function withAdapter(model: VisionLanguageModel, adapter: Adapter, gradientCheckpointing = true): Promise<AdaptedModel> {
  const { config } = adapter;
  const ranks = moduleRanks(adapter.modules, config, 'adapter');
  const modules = model.architecture.linearModules.filter(({ path }) => ranks.has(path)).map((module) => ({ ...module, ...rankOf(ranks, module.path) }));
  const trainable = new AdaptedModel(model, modules, {
    loraDropout: 0,
    seed: 0,
    gradientCheckpointing,
  });
  await trainable.writeAdapter(adapter.tensors);
  return trainable;
}

/** Conversations as one batch, with the stored pixel values where there are any. */
export async function batchOf(folder: Folder, processor: Processor, conversations: readonly Json[][], prompt = false): Promise<{ batch: PackedBatch; ropeDeltas: number[]; lengths: number[] }> {
  const options = { maxLength: 1_000_000, maxImageSize: 0, assistantTurns: 'all' } as const;
  const samples = [];
  const names: string[] = [];
  for (const messages of conversations) {
    const sample = await toSample(folder, 'images', messages, 'parity');
    names.push(...picturesOf(sample.media).map(({ path }) => path));
    samples.push(prompt ? await processor.encodePrompt(sample, options) : await processor.encodeSample(sample, options));
  }
  const batch = await processor.pack(samples);
  if (names.length > 0 && folder.has('images/pixel_values.safetensors')) {
    const stored = await folder.tensors('images/pixel_values.safetensors');
    let at = 0;
    for (const name of names) {
      const pixels = await stored.floats(`${name}.torchvision`);
      batch.pixelValues.set(pixels, at);
      at += pixels.length;
    }
  }
  return { batch, ropeDeltas: samples.map(({ ropeDelta }) => ropeDelta), lengths: samples.map(({ inputIds }) => inputIds.length) };
}

/** Logits of every row [rows, vocabulary]. */
export async function logitsOf(model: VisionLanguageModel, trainable: AdaptedModel | null, batch: PackedBatch, probe?: ActivationProbe): Promise<Float32Array> {
  const { gpu, config, parts } = model;
  const hidden = model.hiddenStates(passContext(gpu, trainable?.adapter ?? null, null), batch, probe);
  const rows = batch.rowCount;
  const logits = new Float32Array(rows * config.vocabSize);
  for (const piece of headPieces(parts.head.table, rows)) {
    const part = pieceLogits(gpu, hidden, piece);
    const values = await gpu.readFloats(part);
    part.dispose();
    for (let row = 0; row < rows; row++) logits.set(values.subarray(row * piece.rowCount, (row + 1) * piece.rowCount), row * config.vocabSize + piece.first);
  }
  hidden.dispose();
  return logits;
}

/** Rows of a right-padded reference tensor [B, S, width] where the mask is 1: the order of our packed rows. */
export function unpadded(values: Float32Array, mask: readonly number[][], width: number): Float32Array {
  const length = mask[0].length;
  const rows: Float32Array[] = [];
  mask.forEach((row, b) => row.forEach((keep, t) => keep === 1 && rows.push(values.subarray((b * length + t) * width, (b * length + t + 1) * width))));
  const out = new Float32Array(rows.length * width);
  rows.forEach((row, i) => out.set(row, i * width));
  return out;
}

/**
 * The reference's limit for float activations: 2e-4 scaled with their size, never above 1e-3; 1e-3 throughout where a gated
 * norm divides by small numbers, as in models with a delta rule.
 */
export function activationTolerance(expected: Float32Array, { shapes }: Pick<Architecture, 'shapes'>): number {
  if (shapes.text.some(({ attends }) => !attends)) return 1e-3;
  let largest = 0;
  for (const value of expected) largest = Math.max(largest, Math.abs(value));
  return Math.min(1e-3, 2e-4 * Math.max(1, largest / 10));
}
