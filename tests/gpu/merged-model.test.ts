/** The demo's trained adapter merged into its base, opened again as a base model of its own: it answers as the adapter did. */
import { beforeAll, expect, it } from 'vitest';
import { mergedModel } from '../../src/checkpoint/merged-model.ts';
import { ModelFiles } from '../../src/checkpoint/model-files.ts';
import { moduleRanks, rankOf } from '../../src/checkpoint/module-ranks.ts';
import type { Adapter } from '../../src/checkpoint/adapter.ts';
import { generate } from '../../src/generation/generate.ts';
import { loadModel } from '../../src/model/load.ts';
import { passContext } from '../../src/model/parts/pass-context.ts';
import type { VisionLanguageModel } from '../../src/model/vision-language-model.ts';
import { Processor } from '../../src/processing/processor.ts';
import type { EncodedSample, PackedBatch } from '../../src/processing/types.ts';
import type { PathFile } from '../../src/protocol/messages.ts';
import { demoModel } from '../../src/session/demo.ts';
import { openAdapter } from '../../src/session/starting-adapter.ts';
import { AdaptedModel } from '../../src/training/adapted-model.ts';
import { useGpu } from './open.ts';
import { targetLogits, withAnswer } from './teacher-forcing.ts';

const gpuOf = useGpu();
const DEMO_URL = new URL('/demo/', location.href).href;
const PROMPTS = 3;
const NEW_TOKENS = 40;
/**
 * Merging rounds W + scale · B · A to bf16, which moves a weight by up to 2⁻⁸ of itself. The roundings are independent: in one sum they do
 * not add up, from layer to layer they do as the root of the number of layers, of which the demo has five. PyTorch's logits of the two
 * models differ by 2.4e-3 of their norm; twice 2⁻⁸ are allowed.
 */
const TOLERANCE = 2 ** -7;

let base: VisionLanguageModel;
let merged: VisionLanguageModel;
let trainable: AdaptedModel;
let prompts: EncodedSample[];
let batch: PackedBatch;

beforeAll(async () => {
  const files = await ModelFiles.open(demoModel(DEMO_URL));
  const { adapter } = await openAdapter({ kind: 'demo' }, DEMO_URL, files.architecture);
  const reopened = await ModelFiles.open(await written(files, adapter));
  base = await loadModel(gpuOf(), files, { kindOf: () => 'bf16' });
  merged = await loadModel(gpuOf(), reopened, { kindOf: () => 'bf16' });
  trainable = await adapt(base, adapter);
  const processor = await Processor.fromFiles(reopened.readText, reopened.architecture);
  prompts = await questions(processor);
  batch = await processor.pack(prompts);
}, 120_000);

async function written(files: ModelFiles, adapter: Adapter): Promise<PathFile[]> {
  const outputs = await mergedModel(files, adapter, { base: 'demo', run: 'merged' });
  return Promise.all(outputs.map(async ({ path, content }) => {
    const parts: Uint8Array<ArrayBuffer>[] = [];
    for await (const part of content()) parts.push(part.slice());
    return { path, file: new Blob(parts) };
  }));
}

async function adapt(model: VisionLanguageModel, { config, modules, tensors }: Adapter): Promise<AdaptedModel> {
  const ranks = moduleRanks(modules, config, 'adapter');
  const adapted = model.architecture.linearModules.filter(({ path }) => ranks.has(path)).map((module) => ({ ...module, ...rankOf(ranks, module.path) }));
  const found = new AdaptedModel(model, adapted, { loraDropout: 0, seed: 0, gradientCheckpointing: true });
  await found.writeAdapter(tensors);
  return found;
}

async function questions(processor: Processor): Promise<EncodedSample[]> {
  const data = new URL('data/', DEMO_URL).href;
  const rows = ((await (await fetch(`${data}sft_val.json`)).json()) as { id: string; image: string; conversations: { value: string }[] }[]).slice(0, PROMPTS);
  return Promise.all(rows.map(async ({ id, image, conversations }) => {
    const file = await (await fetch(data + image)).blob();
    const text = conversations[0].value.replace('<image>', '');
    return processor.encodePrompt(
      { id, conversation: [{ role: 'user', content: [{ type: 'image', index: 0 }, { type: 'text', text }] }], media: [{ kind: 'image', file: { path: image, file } }] },
      { maxLength: 512, maxImageSize: 0 },
    );
  }));
}

const ropeDeltas = () => prompts.map(({ ropeDelta }) => ropeDelta);
const norm = (values: Iterable<number>) => Math.sqrt([...values].reduce((sum, value) => sum + value * value, 0));

it('gives the adapter’s greedy answers with no adapter on it, and logits that differ by the rounding to bf16', async () => {
  const options = { maxNewTokens: NEW_TOKENS, stopIds: [], numGenerations: 1, sampling: null };
  const answers = await trainable.generate(batch, ropeDeltas(), { ...options, adapter: 'policy' });
  const again = await generate(merged, passContext(merged.gpu, null, null), batch, ropeDeltas(), options);
  expect(again).toEqual(answers);
  expect(await trainable.generate(batch, ropeDeltas(), { ...options, adapter: 'base' })).not.toEqual(answers);
  for (const [prompt, { ids }] of answers.entries()) {
    const asked = withAnswer(base, batch, prompt, ids, prompts[prompt].ropeDelta);
    const [wanted, before, got] = [await targetLogits(base, trainable.adapter, asked), await targetLogits(base, null, asked), await targetLogits(merged, null, asked)].map((rows) => rows.flatMap((row) => [...row]));
    const apart = norm(wanted.map((value, i) => got[i] - value)) / norm(wanted);
    const moved = norm(wanted.map((value, i) => before[i] - value)) / norm(wanted);
    console.info(`prompt ${prompt}: apart ${apart.toExponential(2)} of the norm, the adapter moves ${moved.toExponential(2)}`);
    expect(apart, `prompt ${prompt}`).toBeLessThan(TOLERANCE);
    expect(apart, `prompt ${prompt}: the weights are rounded, not the same`).toBeGreaterThan(0);
    expect(moved).toBeGreaterThan(10 * TOLERANCE);
  }
  trainable.dispose();
  base.dispose();
  merged.dispose();
});
