/** A linear-attention layer of the fixtures' checkpoint from its projections to the input of out_proj, and its states after the prompt. */
import { describe, expect, it } from 'vitest';
import { causalConvForward, causalConvWindows } from '../../src/kernels/causal-conv.ts';
import { planDeltaBatch } from '../../src/kernels/delta-batch.ts';
import { deltaGatesForward } from '../../src/kernels/delta-gates.ts';
import { gatedNormForward } from '../../src/kernels/gated-norm.ts';
import { gatedDeltaForward } from '../../src/kernels/gated-delta.ts';
import { viewOf } from '../../src/kernels/matmul.ts';
import { maxAbsError, readFixture, sideBySide } from './delta-cases.ts';
import { useGpu } from './open.ts';

/** The expected values are float32 on their side too, from projections in float32. */
const TOLERANCE = 1e-5;
/** The gated norm divides by core outputs of size 0.01 and below. */
const NORM_TOLERANCE = 1e-4;
const ROWS = 48;
/** Tokens of the prompt, which the sample begins with. */
const PROMPT = 36;
const SHAPE = { keyHeads: 2, valueHeads: 4, keyDim: 16, valueDim: 24 };
const CHANNELS = 160;
const TAPS = 4;

describe('layer 0 of the one_image case', () => {
  const gpuOf = useGpu();

  it('convolution, gates, rule and gated norm equal those of transformers', async () => {
    const gpu = gpuOf();
    const read = await readFixture('../fixtures/qwen3_5/cases/linear_layer.safetensors');
    const matrix = async (name: string) => {
      const values = await read(name);
      return viewOf(gpu.upload(values, [ROWS, values.length / ROWS]));
    };
    const buffer = async (name: string) => gpu.createBuffer(await read(name));
    const check = async (name: string, actual: ArrayLike<number>, tolerance: number) => expect(maxAbsError(actual, await read(`expected/${name}`)), name).toBeLessThan(tolerance);

    const x = await matrix('qkv');
    const conv = { weight: await buffer('conv1d.weight'), channels: CHANNELS, taps: TAPS };
    const qkv = causalConvForward(gpu, x, conv, gpu.upload(new Int32Array(2 * ROWS).map((_, i) => (i % 2) * ROWS), [ROWS, 2]));
    const expectedQkv = sideBySide(ROWS, await read('expected/query'), await read('expected/key'), await read('expected/value'));
    expect(maxAbsError(await gpu.readFloats(qkv), expectedQkv)).toBeLessThan(TOLERANCE);

    const weights = { aLog: await buffer('A_log'), dtBias: await buffer('dt_bias'), heads: SHAPE.valueHeads };
    const gates = deltaGatesForward(gpu, await matrix('a'), await matrix('b'), ROWS, weights);
    await check('g', await gpu.readFloats(gates.g), TOLERANCE);
    await check('beta', await gpu.readFloats(gates.beta), TOLERANCE);

    const { output, finalStates } = gatedDeltaForward(gpu, { qkv, ...gates }, planDeltaBatch(gpu, [ROWS], ROWS), SHAPE, { finalStates: true });
    await check('core_out', await gpu.readFloats(output), TOLERANCE);
    await check('final_state', await gpu.readFloats(finalStates!), TOLERANCE);
    const normed = gatedNormForward(gpu, output, await matrix('z'), { weight: await buffer('norm.weight'), size: SHAPE.valueDim, eps: 1e-6 });
    await check('gated_norm', await gpu.readFloats(normed), NORM_TOLERANCE);

    // Rows after the prompt as padding: its states are those that transformers generates from.
    const prompt = gatedDeltaForward(gpu, { qkv, ...gates }, planDeltaBatch(gpu, [PROMPT], ROWS), SHAPE, { finalStates: true });
    await check('prompt_recurrent_state', await gpu.readFloats(prompt.finalStates!), TOLERANCE);
    const windows = await gpu.readFloats(causalConvWindows(gpu, x, conv, gpu.upload(Int32Array.of(0, PROMPT), [1, 2])));
    // transformers keeps [channels, taps], of which the oldest input is never used again
    const kept = await read('expected/prompt_conv_state');
    expect(maxAbsError(windows, windows.map((_, i) => kept[(i % CHANNELS) * TAPS + 1 + Math.floor(i / CHANNELS)]))).toBeLessThan(TOLERANCE);
  });
});
