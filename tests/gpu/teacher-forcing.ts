/** What the trainer's own pass says of an answer that was generated. */
import type { AdapterWeights } from '../../src/model/adapter-weights.ts';
import { passContext } from '../../src/model/parts/pass-context.ts';
import type { VisionLanguageModel } from '../../src/model/vision-language-model.ts';
import { sliceBatch } from '../../src/processing/slice-batch.ts';
import type { PackedBatch } from '../../src/processing/types.ts';

/** One prompt with one answer, all answer tokens being targets. */
export function withAnswer(model: VisionLanguageModel, prompts: PackedBatch, prompt: number, ids: readonly number[], ropeDelta = 0): PackedBatch {
  const one = sliceBatch(prompts, prompt, 1, model.config.spatialMergeSize);
  const length = one.tokenCount + ids.length;
  const rowCount = Math.ceil(length / 64) * 64;
  const rows = (fill: (row: number) => number) => Int32Array.from({ length: rowCount }, (_, row) => fill(row));
  const position = (axis: number, row: number) => (row < one.tokenCount ? one.positionIds[axis * one.rowCount + row] : row < length ? row + ropeDelta : 0);
  return {
    ...one,
    tokenCount: length,
    rowCount,
    inputIds: rows((row) => (row < one.tokenCount ? one.inputIds[row] : (ids[row - one.tokenCount] ?? 0))),
    positionIds: Int32Array.from({ length: 3 * rowCount }, (_, i) => position(Math.floor(i / rowCount), i % rowCount)),
    bounds: Int32Array.from({ length: 2 * rowCount }, (_, i) => (i >= 2 * length ? (i + 1) >> 1 : i % 2 === 0 ? 0 : length)),
    targetRows: Int32Array.from(ids, (_, i) => one.tokenCount - 1 + i),
    targetIds: Int32Array.from(ids),
    targetSample: new Int32Array(ids.length),
  };
}

/** Logits that the training pass computes at the targets' rows. */
export async function targetLogits(model: VisionLanguageModel, adapter: AdapterWeights | null, batch: PackedBatch): Promise<Float32Array[]> {
  const context = passContext(model.gpu, adapter, null);
  const hidden = model.hiddenStates(context, batch);
  const logits = model.parts.head.logits(context, hidden);
  const values = await model.gpu.readFloats(logits);
  hidden.dispose();
  logits.dispose();
  const width = model.config.vocabSize;
  return Array.from(batch.targetRows, (row) => values.slice(row * width, (row + 1) * width));
}
