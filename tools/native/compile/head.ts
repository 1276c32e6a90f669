/** Log-probabilities of a piece of the vocabulary and their gradient, with an adapter on the head and without. */
import { tokenLogProbs, weightedSum, type LogProbOptions } from '../../../src/kernels/log-probs.ts';
import type { CompileContext, CompileEntry } from './run.ts';
import { LAYERS } from './shapes.ts';

const [ROWS, VOCABULARY, HIDDEN, RANK] = [160, 1024, LAYERS[0].hidden, 16];

function logProbs({ gpu, floats, ints, buffer, weight }: CompileContext, kind: 'bf16' | 'int8', adapted: boolean): void {
  const head = { rows: VOCABULARY, cols: HIDDEN, parts: [{ firstRow: 0, weight: weight(kind, VOCABULARY, HIDDEN) }] };
  const options: LogProbOptions = { statistics: !adapted };
  if (adapted) options.branch = { h: floats(ROWS, RANK), factor: buffer(VOCABULARY * RANK), offset: 0, rank: RANK, scale: 1 };
  const scored = tokenLogProbs(gpu, floats(ROWS, HIDDEN), head, ints(Array.from({ length: ROWS }, (_, i) => i), [ROWS]), options);
  const weights = floats(ROWS);
  weightedSum(gpu, scored.nll, weights);
  scored.backward(weights, adapted ? { g: floats(ROWS, RANK), gradients: buffer(VOCABULARY * RANK) } : undefined);
}

export const HEAD: readonly CompileEntry[] = [
  { name: 'log-probs bf16', run: (context) => logProbs(context, 'bf16', false) },
  { name: 'log-probs int8, adapted', run: (context) => logProbs(context, 'int8', true) },
];
