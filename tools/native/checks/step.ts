/** One training step of the demo: kernels in the shape under test against the shape that the tests cover, f16 against f32. */
import { demoAdapter, openDemo } from '../../../bench/demo-model.ts';
import type { Gpu } from '../../../src/gpu/gpu.ts';
import { cosineDistance, noise, relativeL2 } from './numbers.ts';
import type { CheckGroup } from './run.ts';

const SAMPLES = 8;

interface StepResult {
  loss: number;
  gradients: Float32Array;
  /** Greedy answers to the samples' prompts; asked for only when wanted. */
  answer: () => Promise<number[][]>;
  dispose: () => void;
  ms: number;
}

async function step(gpu: Gpu, demoUrl: string): Promise<StepResult> {
  const { model, processor, samples, prompts } = await openDemo(gpu, demoUrl, 'nf4', SAMPLES);
  const batch = await processor.pack(samples);
  const trainable = demoAdapter(model);
  // B starts at zero, which would hide the gradient of A.
  const start = await trainable.readAdapter();
  await trainable.writeAdapter(start.map((tensor, i) => ({ ...tensor, data: noise(tensor.data.length, 11 + i).map((value) => value * 0.02) })));
  const weights = new Float32Array(batch.targetRows.length).fill(1 / batch.targetRows.length);
  const before = performance.now();
  const loss = await (await trainable.forwardBackward(batch, weights, 0)).read();
  const gradients = (await trainable.adapter.read('gradients')).flatMap(({ data }) => [...data]);
  const ms = performance.now() - before;
  return {
    loss,
    gradients: Float32Array.from(gradients),
    ms,
    async answer() {
      const answers = await trainable.generateGreedy(await processor.pack(prompts), prompts.map(({ ropeDelta }) => ropeDelta), 16, []);
      return answers.map(({ ids }) => ids);
    },
    dispose() {
      trainable.dispose();
      model.dispose();
    },
  };
}

const differing = (a: number[][], b: number[][]): number => a.flat().reduce((sum, token, i) => sum + (token === b.flat()[i] ? 0 : 1), 0);

export const checkStep: CheckGroup = {
  name: 'demo step',
  needsF16: true,
  async run({ open, options, hold, tell }) {
    const gpu = await open();
    const full = await step(gpu, options.demoUrl);
    tell('loss', full.loss, '');
    tell('f32 step', full.ms, 'ms, first run');

    gpu.halfTiles = true;
    const halves = await step(gpu, options.demoUrl);
    gpu.halfTiles = false;
    tell('f16 step', halves.ms, 'ms, first run');
    hold('f16: loss equal to the last bit, so that f16 was not used', halves.loss === full.loss ? 1 : 0, 0);
    // Each product is off by some 2⁻¹¹ of its size; a mean over many tokens by less than one product.
    hold('f16: relative difference of the loss', Math.abs(halves.loss / full.loss - 1), 1e-3);
    // Errors of the forward pass reach the gradient through nine layers: some √9 products, twice over for the recomputed ones.
    hold('f16: difference of the gradient', relativeL2(halves.gradients, full.gradients), 1e-2);
    hold('f16: 1 − cosine of the gradient', cosineDistance(halves.gradients, full.gradients), 1e-4);
    const answers = await full.answer();
    gpu.halfTiles = true;
    tell('f16: differing tokens of greedy answers', differing(await halves.answer(), answers), `of ${answers.flat().length}`);
    gpu.halfTiles = false;
    halves.dispose();
    full.dispose();

    const other = await step(await open(options.profile === 'gpu' ? 'rasterizer' : 'gpu'), options.demoUrl);
    // Sums of the same f32 terms in another order, through nine layers and back.
    hold('f32, other kernel shape: relative difference of the loss', Math.abs(full.loss / other.loss - 1), 1e-5);
    hold('f32, other kernel shape: difference of the gradient', relativeL2(full.gradients, other.gradients), 1e-4);
    hold('f32, other kernel shape: differing tokens of greedy answers', differing(await other.answer(), answers), 0);
    other.dispose();
  },
};
