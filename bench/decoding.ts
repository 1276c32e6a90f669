/** Greedy decoding of the demo over the key/value cache. */
import { generate } from '../src/generation/generate.ts';
import { passContext } from '../src/model/parts/pass-context.ts';
import { demoAdapter, openDemo } from './demo-model.ts';
import type { BenchGroup } from './page.ts';
import { timeMedian } from './result.ts';

const BATCHES = [1, 8, 32];
const NEW_TOKENS = 32;

/** The prompts' own pass is part of the time, as it is in validation. */
export const benchDecoding: BenchGroup = {
  name: 'decoding',
  run: async ({ gpu, options, report }) => {
    const { model, processor, prompts } = await openDemo(gpu, options.demoUrl, 'nf4', Math.max(...BATCHES));
    const trainable = demoAdapter(model);
    const context = passContext(gpu, trainable.adapter, null);
    for (const count of BATCHES) {
      const chosen = prompts.slice(0, count);
      const batch = await processor.pack(chosen);
      const deltas = chosen.map(({ ropeDelta }) => ropeDelta);
      const decode = async (maxNewTokens: number) => {
        const answers = await generate(model, context, batch, deltas, { maxNewTokens, stopIds: [], numGenerations: 1, sampling: null });
        if (answers.some(({ ids }) => ids.length !== maxNewTokens)) throw new Error(`decoding stopped before ${maxNewTokens} tokens`);
      };
      const prompt = await timeMedian(() => decode(1), { minMs: 500, minRuns: 2 });
      const ms = await timeMedian(() => decode(NEW_TOKENS), { minMs: 1000, minRuns: 2 });
      const group = benchDecoding.name;
      report({ group, name: `batch ${count}, prompts and ${NEW_TOKENS} new tokens each`, shape: `${batch.tokenCount} prompt tokens`, ms, value: ((count * NEW_TOKENS) / ms) * 1e3, unit: 'tokens/s', ratio: null });
      const tail = ms - prompt;
      report({ group, name: `batch ${count}, new tokens alone`, shape: '', ms: tail / (NEW_TOKENS - 1), value: ((count * (NEW_TOKENS - 1)) / tail) * 1e3, unit: 'tokens/s', ratio: null });
    }
    trainable.dispose();
    model.dispose();
  },
};
