/** Logits, losses and greedy answers on a demo folder (model/, data/, recipe/reference.json), and logits for tools/check-adapter.py. */
import { generate } from '../../src/generation/generate.ts';
import type { VisionLanguageModel } from '../../src/model/vision-language-model.ts';
import type { Processor } from '../../src/processing/processor.ts';
import { IGNORE_INDEX, type EncodedSample } from '../../src/processing/types.ts';
import type { AdaptedModel } from '../../src/training/adapted-model.ts';
import { compare, EXACT, type CheckResult } from './check.ts';
import { loadModel, logitsOf, openAdapter, withAdapter } from './engine.ts';
import { Folder, type Json } from './folder.ts';
import type { LogitsCase, LogitsDump, ParityOptions } from './options.ts';
import { openProcessor } from './processing-checks.ts';
import { encodeDemoPrompt, REFERENCE_FILE } from './reference-checks.ts';

/** The prompt followed by an answer that carries the loss. */
function withAnswer(prompt: EncodedSample, answer: readonly number[]): EncodedSample {
  const length = prompt.inputIds.length;
  const total = length + answer.length;
  const positionIds = new Int32Array(3 * total);
  for (let axis = 0; axis < 3; axis++) {
    positionIds.set(prompt.positionIds.subarray(axis * length, (axis + 1) * length), axis * total);
    for (let t = length; t < total; t++) positionIds[axis * total + t] = t + prompt.ropeDelta;
  }
  return {
    ...prompt,
    inputIds: Int32Array.from([...prompt.inputIds, ...answer]),
    labels: Int32Array.from([...new Array<number>(length).fill(IGNORE_INDEX), ...answer]),
    positionIds,
  };
}

async function lastLogits(model: VisionLanguageModel, trainable: AdaptedModel | null, processor: Processor, prompt: EncodedSample): Promise<Float32Array> {
  const batch = await processor.pack([prompt]);
  const width = model.config.vocabSize;
  const logits = await logitsOf(model, trainable, batch);
  return logits.slice((batch.tokenCount - 1) * width, batch.tokenCount * width);
}

/** The stored cases were computed with weights that were not quantised. */
export async function checkDemoModel(folder: Folder, report: (check: CheckResult) => void): Promise<void> {
  if (!folder.has(REFERENCE_FILE)) return;
  const processor = await openProcessor(folder, 'model');
  const model = await loadModel(folder, 'model', () => 'bf16');
  const context = { gpu: model.gpu, adapter: null, dropout: null };
  for (const [index, expected] of ((await folder.json(REFERENCE_FILE)) as Json[]).entries()) {
    const name = `demo/${index}`;
    const prompt = await encodeDemoPrompt(processor, folder, expected.image, expected.prompt);
    const logits = await lastLogits(model, null, processor, prompt);
    // Stored with four decimals.
    report(compare(`${name}/last_logits`, logits.subarray(0, 16), expected.last_logits_first16, { measure: 'abs', tolerance: 3e-4 }));
    report(compare(`${name}/last_logits_l2`, [Math.sqrt(logits.reduce((sum, value) => sum + value * value, 0))], [expected.last_logits_l2], { measure: 'rel', tolerance: 1e-4 }));
    report(compare(`${name}/last_argmax`, [logits.indexOf(Math.max(...logits))], [expected.last_argmax], EXACT));
    const [answer] = await generate(model, context, await processor.pack([prompt]), [prompt.ropeDelta], { maxNewTokens: expected.greedy_ids.length, stopIds: [], numGenerations: 1, sampling: null });
    report(compare(`${name}/greedy_ids`, answer.ids, expected.greedy_ids, EXACT));
    if (expected.answer_ids) {
      const nll = model.tokenNll(context, await processor.pack([withAnswer(prompt, expected.answer_ids)]));
      const values = await model.gpu.readFloats(nll);
      nll.dispose();
      report(compare(`${name}/answer_loss`, [values.reduce((sum, value) => sum + value, 0) / values.length], [expected.answer_loss_mean], { measure: 'rel', tolerance: 1e-4 }));
    }
  }
}

/** Samples of the dump. */
const DUMPED = 4;

/** Last logits of the first validation prompts, with the adapter when one is given. Null where the folder has no demo. */
export async function dumpLogits(folder: Folder, options: ParityOptions): Promise<LogitsDump | null> {
  if (!folder.has('data/sft_val.json') || !folder.has('model/config.json')) return null;
  const processor = await openProcessor(folder, 'model');
  const model = await loadModel(folder, 'model', () => 'bf16');
  const adapterFiles = options.adapter && new Folder(options.adapter.map(({ path, url }) => ({ path: `adapter/${path}`, url })));
  const trainable = adapterFiles && (await withAdapter(model, await openAdapter(adapterFiles, 'adapter', model)));
  const cases: LogitsCase[] = [];
  for (const sample of ((await folder.json('data/sft_val.json')) as Json[]).slice(0, DUMPED)) {
    const prompt = (sample.conversations[0].value as string).replace('<image>', '');
    const encoded = await encodeDemoPrompt(processor, folder, sample.image, prompt);
    cases.push({ image: sample.image, prompt, input_ids: [...encoded.inputIds], last_logits: [...(await lastLogits(model, trainable, processor, encoded))] });
  }
  return { adapter: trainable !== null, quantization: 'none', cases };
}
