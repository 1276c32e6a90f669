/** Norms, activations, tables, dropout and the optimiser. */
import { geluBackward, geluForward, swigluBackward, swigluForward, type GeluKind } from '../../../src/kernels/activation.ts';
import { adamWStep } from '../../../src/kernels/adamw.ts';
import { applyDropout } from '../../../src/kernels/dropout.ts';
import { addInterpolatedRows, embeddingLookup } from '../../../src/kernels/embedding.ts';
import { normBackward, normForward } from '../../../src/kernels/norm.ts';
import { gatherRows, scatterAddRows, scatterRows } from '../../../src/kernels/rows.ts';
import type { CompileContext, CompileEntry } from './run.ts';
import { LAYERS } from './shapes.ts';

const ROWS = 80;
const GELU: readonly GeluKind[] = ['geluTanh', 'geluExact', 'geluQuick'];

/** RMSNorm and, in the tower, LayerNorm. */
function norms({ gpu, floats, buffer }: CompileContext): void {
  for (const { hidden, causal } of LAYERS) {
    const norm = { weight: buffer(hidden), bias: causal ? undefined : buffer(hidden), size: hidden, eps: 1e-6 };
    const x = floats(ROWS, hidden);
    normBackward(gpu, x, norm, normForward(gpu, x, norm), floats(ROWS, hidden));
  }
}

function activations({ gpu, floats }: CompileContext): void {
  const [gate, up] = [floats(ROWS, LAYERS[0].mlp), floats(ROWS, LAYERS[0].mlp)];
  swigluBackward(gpu, gate, up, swigluForward(gpu, gate, up));
  for (const kind of GELU) geluBackward(gpu, kind, gate, geluForward(gpu, kind, gate));
}

function rows({ gpu, floats, ints, weight }: CompileContext): void {
  const { hidden } = LAYERS[0];
  const index = ints([0, 1, 2, 3], [4]);
  const target = floats(ROWS, hidden);
  const picked = gatherRows(gpu, target, index);
  scatterRows(gpu, picked, index, target);
  scatterAddRows(gpu, picked, index, target);
  for (const kind of ['bf16', 'int8'] as const) embeddingLookup(gpu, { rows: 64, cols: hidden, parts: [{ firstRow: 0, weight: weight(kind, 64, hidden) }] }, index);
  addInterpolatedRows(gpu, weight('bf16', 64, hidden), ints([0, 1, 2, 3], [1, 4]), floats(1, 4), floats(1, hidden));
}

export const ELEMENTWISE: readonly CompileEntry[] = [
  { name: 'norms', run: norms },
  { name: 'activations', run: activations },
  { name: 'rows and tables', run: rows },
  {
    name: 'optimiser',
    run: ({ gpu, buffer }) => {
      const count = 4096;
      const [weights, gradients, m, v] = [0, 0, 0, 0].map(() => buffer(count));
      adamWStep(gpu, { count, weights, gradients, m, v }, { step: 1, learningRate: 1e-4, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01, maxGradNorm: 1 });
    },
  },
  { name: 'dropout', run: ({ gpu, floats }) => applyDropout(gpu, floats(ROWS, 2048), { p: 0.1, seed: 1, step: 1, module: 1 }, floats(ROWS, 2048), true) },
];
