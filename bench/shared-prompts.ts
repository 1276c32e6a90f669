/** A GRPO step whose answers follow one copy of their prompt, beside the same step with a copy for each answer. */
import type { Gpu } from '../src/gpu/gpu.ts';
import type { VisionLanguageModel } from '../src/model/vision-language-model.ts';
import { withCompletion } from '../src/processing/completion.ts';
import type { Processor } from '../src/processing/processor.ts';
import { IGNORE_INDEX, type EncodedSample, type PackedBatch } from '../src/processing/types.ts';
import type { Objective } from '../src/objectives/token-scores.ts';
import { demoAdapter, openDemo } from './demo-model.ts';
import type { BenchGroup } from './page.ts';
import { timeMedian } from './result.ts';

const MIB = 2 ** 20;
const PROMPTS = 2;
/** Answers to each. */
const GROUP = 4;

const answerOf = ({ labels }: EncodedSample) => [...labels].filter((label) => label !== IGNORE_INDEX);

/** Each prompt answered with the true answers to it and to the samples after it, so that lengths are those of real answers. */
function answersTo(prompts: readonly EncodedSample[], samples: readonly EncodedSample[], group: number, { imageTokenId }: Processor): EncodedSample[] {
  return prompts.flatMap((prompt, p) => Array.from({ length: group }, (_, i) => withCompletion(prompt, answerOf(samples[(p + i) % samples.length]), { imageTokenId })));
}

export const benchSharedPrompts: BenchGroup = {
  name: 'shared prompts',
  run: async ({ gpu, options, report }) => {
    const { model, processor, samples, prompts } = await openDemo(gpu, options.demoUrl, 'nf4', PROMPTS + GROUP);
    const rows = answersTo(prompts.slice(0, PROMPTS), samples, GROUP, processor);
    const copies = await measure(gpu, model, await processor.pack(rows));
    const shared = await measure(gpu, model, await processor.pack(rows, rows.map((_, row) => Math.floor(row / GROUP))));
    for (const [what, { batch, ms, bytes }, gain] of [['a copy for each answer', copies, null], ['one copy', shared, { time: copies.ms / shared.ms, bytes: copies.bytes / shared.bytes }]] as const) {
      const at = { group: benchSharedPrompts.name, shape: `${batch.tokenCount} rows, ${batch.grids.length} pictures` };
      report({ ...at, name: `GRPO step with reference, ${PROMPTS} × ${GROUP} answers, ${what}`, ms, value: (rows.length / ms) * 1e3, unit: 'answers/s', ratio: gain?.time ?? 'baseline' });
      report({ ...at, name: `GPU memory at its peak, ${what}`, ms: null, value: bytes / MIB, unit: 'MiB', ratio: gain?.bytes ?? 'baseline' });
    }
    model.dispose();
  },
};

/** Time of a step's passes, and the most bytes of GPU buffers meanwhile: scores of the reference, then forward and backward. */
async function measure(gpu: Gpu, model: VisionLanguageModel, batch: PackedBatch): Promise<{ batch: PackedBatch; ms: number; bytes: number }> {
  const trainable = demoAdapter(model);
  await trainable.setReference(await trainable.readAdapter());
  const objective: Objective = ({ logProbs }) => logProbs.map((_, i) => Math.sin(i) / batch.targetRows.length);
  const step = async () => {
    await trainable.scoreTokens(batch, { model: 'reference', temperature: 1 });
    await trainable.forwardBackwardOf(batch, objective, { temperature: 1, dropoutStep: null });
    await gpu.finish();
  };
  const { pool } = gpu.backend;
  await step();
  pool.trim();
  pool.peakBytes = pool.numBytesAllocated;
  const ms = await timeMedian(step, { minMs: 10_000, minRuns: 1, warmUp: false });
  const bytes = gpu.peakBytes();
  trainable.dispose();
  return { batch, ms, bytes };
}
