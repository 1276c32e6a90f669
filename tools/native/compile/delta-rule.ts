/** Qwen3.5's linear attention: convolution, gates, gated delta rule and gated norm, over packed rows and token by token. */
import { causalConvBackward, causalConvForward, causalConvStep, causalConvWindows } from '../../../src/kernels/causal-conv.ts';
import { planDeltaBatch } from '../../../src/kernels/delta-batch.ts';
import { deltaGatesBackward, deltaGatesForward } from '../../../src/kernels/delta-gates.ts';
import { gatedDeltaBackward } from '../../../src/kernels/gated-delta-backward.ts';
import { gatedDeltaStep } from '../../../src/kernels/gated-delta-step.ts';
import { deltaStateSize, gatedDeltaForward } from '../../../src/kernels/gated-delta.ts';
import { gatedNormBackward, gatedNormForward } from '../../../src/kernels/gated-norm.ts';
import { viewOf } from '../../../src/kernels/matmul.ts';
import type { CompileContext, CompileEntry } from './run.ts';
import { DELTA } from './shapes.ts';

const ROWS = 80;
const WIDTH = 2 * DELTA.keyHeads * DELTA.keyDim + DELTA.valueHeads * DELTA.valueDim;
const VALUES = DELTA.valueHeads * DELTA.valueDim;

function rule({ gpu, floats }: CompileContext): void {
  const batch = planDeltaBatch(gpu, [ROWS], ROWS);
  const gates = () => floats(ROWS, DELTA.valueHeads);
  const inputs = { qkv: floats(ROWS, WIDTH), g: gates(), beta: gates() };
  gatedDeltaForward(gpu, inputs, batch, DELTA, { finalStates: true });
  gatedDeltaBackward(gpu, inputs, batch, DELTA, floats(ROWS, VALUES));
}

function around({ gpu, floats, ints, buffer }: CompileContext): void {
  const conv = { weight: buffer(WIDTH * DELTA.taps), channels: WIDTH, taps: DELTA.taps };
  const bounds = ints(Array.from({ length: ROWS }, () => [0, ROWS]).flat(), [ROWS, 2]);
  const [x, dx] = [viewOf(floats(ROWS, WIDTH)), viewOf(floats(ROWS, WIDTH))];
  causalConvBackward(gpu, x, conv, bounds, causalConvForward(gpu, x, conv, bounds), dx);
  causalConvStep(gpu, viewOf(floats(1, WIDTH)), conv, causalConvWindows(gpu, x, conv, ints([0, ROWS], [1, 2])));
  const weights = { aLog: buffer(DELTA.valueHeads), dtBias: buffer(DELTA.valueHeads), heads: DELTA.valueHeads };
  const [a, b, da, db] = [0, 0, 0, 0].map(() => viewOf(floats(ROWS, DELTA.valueHeads)));
  deltaGatesBackward(gpu, a, b, ROWS, weights, deltaGatesForward(gpu, a, b, ROWS, weights), da, db);
  const norm = { weight: buffer(DELTA.valueDim), size: DELTA.valueDim, eps: 1e-6 };
  const [core, z, dz] = [0, 0, 0].map(() => floats(ROWS, VALUES));
  gatedNormBackward(gpu, core, viewOf(z), norm, gatedNormForward(gpu, core, viewOf(z), norm), viewOf(dz));
}

export const DELTA_RULE: readonly CompileEntry[] = [
  { name: 'delta rule', run: rule },
  { name: 'delta rule, what lies around it', run: around },
  {
    name: 'delta rule decode',
    run: ({ gpu, floats }) => void gatedDeltaStep(gpu, { qkv: floats(1, WIDTH), g: floats(1, DELTA.valueHeads), beta: floats(1, DELTA.valueHeads) }, floats(1, deltaStateSize(DELTA)), DELTA),
  },
];
