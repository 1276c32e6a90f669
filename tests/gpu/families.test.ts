/** Every family as a whole: loss, gradients, clips and answers against PyTorch, and what its own two ways of computing must agree on. */
import { beforeAll, describe, expect, it } from 'vitest';
import { checkDpo, checkGrpo } from '../../tools/parity/method-checks.ts';
import { checkGeneration, checkLora } from '../../tools/parity/model-checks.ts';
import { formatCheck, type CheckResult } from '../../tools/parity/check.ts';
import { batchOf, loadModel, shareGpu } from '../../tools/parity/engine.ts';
import { Folder } from '../../tools/parity/folder.ts';
import { openProcessor } from '../../tools/parity/processing-checks.ts';
import { checkVideoModel } from '../../tools/parity/video-checks.ts';
import { generate, type DecodingOptions } from '../../src/generation/generate.ts';
import { roomFor } from '../../src/generation/plan.ts';
import { passContext } from '../../src/model/parts/pass-context.ts';
import { AdaptedModel } from '../../src/training/adapted-model.ts';
import { lossAndGradients, randomFactors, relativeL2, slopeOverNorm } from './gradient-slope.ts';
import { useGpu } from './open.ts';
import { meanWeights } from './tiny-model.ts';

const gpuOf = useGpu();
beforeAll(() => shareGpu(gpuOf()));

const FILES = import.meta.glob<string>('../fixtures/{qwen2_vl,qwen2_5_vl,qwen3_vl,qwen3_5,video}/**', { query: '?url', import: 'default', eager: true });

/** The family's folder as the parity tool wants it; pictures and clips are the same for all. */
function folderOf(family: string): Folder {
  const moved: [string, string][] = [
    [`${family}/`, ''],
    ['qwen3_vl/images/', 'images/'],
    ['video/v', 'videos/v'],
    [`video/${family}.json`, 'cases/video.json'],
  ];
  const files = Object.entries(FILES).flatMap(([key, url]) => {
    const path = key.slice('../fixtures/'.length);
    return moved.filter(([from]) => path.startsWith(from) && !(path.endsWith('pixel_values.safetensors'))).map(([from, to]) => ({ path: to + path.slice(from.length), url }));
  });
  return new Folder(files);
}

async function failuresOf(check: (folder: Folder, report: (result: CheckResult) => void) => Promise<void>, folder: Folder): Promise<{ failures: string[]; count: number }> {
  const results: CheckResult[] = [];
  await check(folder, (result) => results.push(result));
  return { failures: results.filter(({ ok }) => !ok).map((result) => formatCheck(result, 60)), count: results.length };
}

describe.each([
  ['qwen2_vl', 57],
  ['qwen2_5_vl', 81],
  ['qwen3_vl', 57],
  ['qwen3_5', 125],
])('%s', (family, tensors) => {
  const folder = folderOf(family);

  it('has the loss and the gradients of PyTorch over a packed batch, recomputing or not', async () => {
    const { failures, count } = await failuresOf(checkLora, folder);
    expect(failures).toEqual([]);
    expect(count).toBeGreaterThan(2 * (tensors - 1));
  });

  it('reads clips as PyTorch does, and trains on them', async () => {
    const { failures, count } = await failuresOf(checkVideoModel, folder);
    expect(failures).toEqual([]);
    expect(count).toBeGreaterThan(tensors - 1);
  });

  it('answers with the tokens of PyTorch', async () => {
    const { failures, count } = await failuresOf(checkGeneration, folder);
    expect(failures).toEqual([]);
    expect(count).toBe(2);
  });

  it('has the slope of the loss as gradient of every linear layer, vision tower and merger included; packed as alone, the same bits again', async () => {
    const model = await loadModel(folder, 'checkpoint', () => 'bf16');
    const processor = await openProcessor(folder, 'checkpoint');
    const { messages } = await folder.json('cases/padded_batch.json') as { messages: never[][] };
    const { batch } = await batchOf(folder, processor, messages);
    const modules = model.architecture.linearModules.map((module) => ({ ...module, r: 4, loraAlpha: 8, scale: 2 }));
    const factors = randomFactors(modules).map((factor) => ({ ...factor, data: factor.data.map((value) => value * 0.2) }));
    const trainable = new AdaptedModel(model, modules, { loraDropout: 0, seed: 1, gradientCheckpointing: true });
    expect(Math.abs((await slopeOverNorm(trainable, factors, batch, meanWeights(batch))) - 1)).toBeLessThan(5e-3);
    const isVision = (name: string) => name.includes('visual');
    expect(Math.abs((await slopeOverNorm(trainable, factors, batch, meanWeights(batch), 0, isVision)) - 1)).toBeLessThan(5e-3);

    const first = await lossAndGradients(trainable, factors, batch, meanWeights(batch));
    expect(await lossAndGradients(trainable, factors, batch, meanWeights(batch))).toEqual(first);
    const together = await trainable.tokenNll(batch);
    const apart: number[] = [];
    for (const conversation of messages) apart.push(...(await trainable.tokenNll((await batchOf(folder, processor, [conversation])).batch)));
    expect(relativeL2(together, apart)).toBeLessThan(1e-5);
    trainable.dispose();
    model.dispose();
  });
});

describe.each([['DPO', checkDpo], ['GRPO', checkGrpo]])('%s', (_, check) => {
  it('has the log-probabilities, losses and gradients of PyTorch, answers sharing their prompts', async () => {
    const { failures, count } = await failuresOf(check, folderOf('qwen3_vl'));
    expect(failures).toEqual([]);
    expect(count).toBeGreaterThan(50);
  });
});

describe('answers of a model with recurrent layers', () => {
  it('take over the places of others, and nothing of their states', async () => {
    const folder = folderOf('qwen3_5');
    const model = await loadModel(folder, 'checkpoint', () => 'bf16');
    const processor = await openProcessor(folder, 'checkpoint');
    const ask = (text: string) => processor.encodePrompt({ id: text, conversation: [{ role: 'user', content: [{ type: 'text', text }] }], media: [] }, { maxLength: 99, maxImageSize: 0 });
    const prompts = [await ask('Which is larger?'), await ask('No.')];
    const batch = await processor.pack(prompts);
    const answer = (options: Partial<DecodingOptions>) =>
      generate(model, passContext(model.gpu, null, null), batch, prompts.map(({ ropeDelta }) => ropeDelta), {
        maxNewTokens: 12, stopIds: [], numGenerations: 3, sampling: { temperature: 1, topK: 0, topP: 1, repetitionPenalty: 1, seed: 2, firstSequence: 0 }, ...options,
      });
    const free = await answer({});
    const stopIds = [free[0].ids[3], free[3].ids[6]];
    const whole = await answer({ stopIds });
    expect(new Set(whole.map(({ ids }) => ids.length)).size).toBeGreaterThan(1);
    const { bytesPerToken, bytesPerSequence } = roomFor(model.architecture, 12, 2 ** 30);
    // Room for the longer prompt and two of its answers, 16 rows each; then for one answer at a time.
    const two = 3 * bytesPerSequence + (prompts[0].inputIds.length + 2 * 16) * bytesPerToken;
    for (const cacheBytes of [two, 1]) expect(await answer({ stopIds, cacheBytes })).toEqual(whole);
    model.dispose();
  });
});
