/** An adapter on lm_head of a model that does not tie it: in logits, gradients and answers. */
import { beforeAll, describe, expect, it } from 'vitest';
import { adaptedModules, type AdaptedLinear } from '../../src/checkpoint/adapted-modules.ts';
import type { GenerationOptions } from '../../src/generation/options.ts';
import { loadModel } from '../../src/model/load.ts';
import { passContext } from '../../src/model/parts/pass-context.ts';
import type { VisionLanguageModel } from '../../src/model/vision-language-model.ts';
import type { PackedBatch } from '../../src/processing/types.ts';
import { AdaptedModel } from '../../src/training/adapted-model.ts';
import { plainChoice, plainGreedy } from '../reference/sampling.ts';
import { clearGradients, lossAndGradients, randomFactors, relativeL2, slopeOverNorm } from './gradient-slope.ts';
import { relativeError, useGpu } from './open.ts';
import { packed, randomModel, randomSamples } from './random-model.ts';
import { targetLogits, withAnswer } from './teacher-forcing.ts';
import { meanWeights } from './tiny-model.ts';

const gpuOf = useGpu();
const NEW_TOKENS = 10;

let model: VisionLanguageModel;
let batch: PackedBatch;

beforeAll(async () => {
  const random = await randomModel();
  model = await loadModel(gpuOf(), random.files, { kindOf: () => 'bf16' });
  batch = packed(randomSamples(random.config), 64);
}, 120_000);

const modulesOf = (...targets: string[]): AdaptedLinear[] =>
  adaptedModules(model.architecture.linearModules, { target_modules: targets, r: 4, lora_alpha: 6, use_rslora: false, rank_pattern: { lm_head: 3 }, alpha_pattern: { lm_head: 5 } });

function adapt(targets: string[], loraDropout = 0): AdaptedModel {
  return new AdaptedModel(model, modulesOf(...targets), { loraDropout, seed: 9, gradientCheckpointing: true });
}

describe('an adapter on lm_head', () => {
  it('adds scale · B · A · h to the logits', async () => {
    const trainable = adapt(['lm_head']);
    const [module] = modulesOf('lm_head');
    const [a, b] = randomFactors([module]);
    await trainable.writeAdapter([a, b]);
    const context = passContext(model.gpu, trainable.adapter, null);
    const hiddenStates = model.hiddenStates(context, batch);
    const hidden = await model.gpu.readFloats(hiddenStates);
    const logitsIn = async (adapter: AdaptedModel['adapter'] | null) => {
      const logits = model.parts.head.logits(passContext(model.gpu, adapter, null), hiddenStates);
      const values = await model.gpu.readFloats(logits);
      logits.dispose();
      return values;
    };
    const [adapted, base] = [await logitsIn(trainable.adapter), await logitsIn(null)];
    const { inFeatures, outFeatures, r, scale } = module;
    expect([r, scale]).toEqual([3, 5 / 3]);
    const expected = base.slice();
    for (let row = 0; row < batch.rowCount; row++) {
      const h = Array.from({ length: r }, (_, c) => a.data.subarray(c * inFeatures, (c + 1) * inFeatures).reduce((sum, value, i) => sum + value * hidden[row * inFeatures + i], 0));
      for (let token = 0; token < outFeatures; token++) expected[row * outFeatures + token] += scale * h.reduce((sum, value, c) => sum + value * b.data[token * r + c], 0);
    }
    expect(relativeError(adapted, expected)).toBeLessThan(2e-6);
    expect(relativeError(adapted, base)).toBeGreaterThan(0.05);
    hiddenStates.dispose();
    trainable.dispose();
  });

  it.each([
    { targets: ['lm_head'], loraDropout: 0 },
    { targets: ['lm_head'], loraDropout: 0.3 },
    { targets: ['lm_head', 'q_proj', 'down_proj', 'qkv'], loraDropout: 0 },
    { targets: ['lm_head', 'q_proj', 'down_proj', 'qkv'], loraDropout: 0.3 },
  ])('on $targets with dropout $loraDropout: the gradients of A, of B and of the layers below are the slopes of the loss', async ({ targets, loraDropout }) => {
    const trainable = adapt(targets, loraDropout);
    const factors = randomFactors(modulesOf(...targets));
    const weights = meanWeights(batch);
    const parts = { A: /^lm_head\.lora_A/, B: /^lm_head\.lora_B/, ...(targets.length > 1 ? { below: /^(?!lm_head)/ } : {}) };
    for (const [part, names] of Object.entries(parts)) {
      const slope = await slopeOverNorm(trainable, factors, batch, weights, 4, (name) => names.test(name));
      expect(Math.abs(slope - 1), part).toBeLessThan(5e-3);
    }
    trainable.dispose();
  });

  it.each([0, 0.3])('with dropout %f: the vocabulary in several pieces gives the same loss and gradients, and the same bits again', async (loraDropout) => {
    const trainable = adapt(['lm_head', 'down_proj'], loraDropout);
    const factors = randomFactors(modulesOf('lm_head', 'down_proj'));
    const weights = meanWeights(batch);
    const whole = await lossAndGradients(trainable, factors, batch, weights, 4);
    const inPieces = async () => {
      clearGradients(trainable, factors);
      const plan = { gradientCheckpointing: true, firstAdaptedLayer: 0, visionAdapted: false };
      // Pieces of 64, 64 and 32 tokens.
      const pass = model.differentiable(passContext(model.gpu, trainable.adapter, 4), batch, plan, { maxLogits: 1 });
      const nll = await model.gpu.readFloats(pass.nll.clone());
      const rowWeights = model.gpu.upload(weights, [weights.length]);
      pass.backward(rowWeights);
      rowWeights.dispose();
      return { loss: nll.reduce((sum, value, i) => sum + value * weights[i], 0), gradients: await trainable.adapter.read('gradients') };
    };
    const pieces = await inPieces();
    expect(Math.abs(pieces.loss / whole.loss - 1)).toBeLessThan(1e-6);
    pieces.gradients.forEach(({ name, data }, f) => expect(relativeL2(data, whole.gradients[f].data), name).toBeLessThan(1e-5));
    expect(await inPieces()).toEqual(pieces);
    trainable.dispose();
  });

  it('is there when answers are chosen, greedy or sampled, and absent from those of the base', async () => {
    const trainable = adapt(['lm_head']);
    await trainable.writeAdapter(randomFactors(modulesOf('lm_head')));
    const sampling = { temperature: 1.2, topK: 50, topP: 0.95, repetitionPenalty: 1.1, seed: 5, firstSequence: 7 };
    const ask = (changed: Partial<GenerationOptions>) => trainable.generate(batch, [0, 0, 0], { maxNewTokens: NEW_TOKENS, stopIds: [], numGenerations: 1, sampling: null, adapter: 'policy', ...changed });
    for (const adapter of ['policy', 'base'] as const) {
      const weights = adapter === 'policy' ? trainable.adapter : null;
      const [greedy, sampled] = [await ask({ adapter }), await ask({ adapter, sampling })];
      for (let prompt = 0; prompt < 3; prompt++) {
        const best = await targetLogits(model, weights, withAnswer(model, batch, prompt, greedy[prompt].ids));
        greedy[prompt].ids.forEach((id, step) => expect(plainGreedy(best[step], 1, new Set()), `${adapter}, greedy, prompt ${prompt}, step ${step}`).toBe(id));
        const answer = withAnswer(model, batch, prompt, sampled[prompt].ids);
        const logits = await targetLogits(model, weights, answer);
        const seen = new Set(answer.inputIds.subarray(0, answer.tokenCount - NEW_TOKENS));
        sampled[prompt].ids.forEach((id, step) => {
          expect(plainChoice(logits[step], sampling, sampling.firstSequence + prompt, step, seen), `${adapter}, sampled, prompt ${prompt}, step ${step}`).toBe(id);
          seen.add(id);
        });
      }
    }
    expect(await ask({ adapter: 'base' })).not.toEqual(await ask({}));
    trainable.dispose();
  });
});
