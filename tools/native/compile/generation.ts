/** Choosing tokens, greedy and drawn. Products and attention of decoding stand with those of training. */
import { argmaxToken } from '../../../src/kernels/argmax.ts';
import { chooseTokens, seenWords, type ChoiceSettings } from '../../../src/kernels/sample.ts';
import type { CompileContext, CompileEntry } from './run.ts';
import { LAYERS } from './shapes.ts';

const [SEQUENCES, VOCABULARY, HIDDEN] = [4, 1024, LAYERS[0].hidden];
const DRAW: NonNullable<ChoiceSettings['draw']> = { temperature: 1, topK: 20, topP: 0.9, seed: 1 };

function choose({ gpu, floats, ints }: CompileContext, draw: ChoiceSettings['draw'], penalized: boolean): void {
  const sequences = ints(Array.from({ length: SEQUENCES }, (_, i) => [i, i, 0, 0]).flat(), [SEQUENCES, 4]);
  const seen = penalized ? ints(Array.from({ length: SEQUENCES * seenWords(VOCABULARY) }, () => 0), [SEQUENCES, seenWords(VOCABULARY)]) : null;
  chooseTokens(gpu, floats(SEQUENCES, VOCABULARY), sequences, seen, 0, { draw, repetitionPenalty: penalized ? 1.1 : 1 });
}

export const GENERATION: readonly CompileEntry[] = [
  {
    name: 'greedy choice',
    run: ({ gpu, floats, weight }) => {
      const head = { rows: VOCABULARY, cols: HIDDEN, parts: [{ firstRow: 0, weight: weight('bf16', VOCABULARY, HIDDEN) }] };
      for (const withSums of [false, true]) argmaxToken(gpu, floats(SEQUENCES, HIDDEN), head, undefined, withSums);
    },
  },
  { name: 'greedy choice, penalty', run: (context) => choose(context, null, true) },
  { name: 'drawn choice', run: (context) => choose(context, DRAW, false) },
  { name: 'drawn choice, penalty', run: (context) => choose(context, DRAW, true) },
];
