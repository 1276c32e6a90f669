/** Quantising a checkpoint's weights, from bf16 and from float32. */
import { blockCodes, blockMagnitudes } from '../../../src/kernels/quantize-nf4.ts';
import type { CompileEntry } from './run.ts';

const [BLOCK, BLOCKS] = [64, 128];

export const QUANTISING: readonly CompileEntry[] = ([2, 1] as const).map((perWord) => ({
  name: `NF4 from ${perWord === 2 ? 'bf16' : 'f32'}`,
  run: ({ gpu, buffer }) => {
    const source = buffer((BLOCK * BLOCKS) / perWord);
    blockMagnitudes(gpu, source, perWord, BLOCKS, buffer(BLOCKS));
    blockCodes(gpu, source, perWord, BLOCKS, buffer(BLOCKS), buffer((BLOCK * BLOCKS) / 8), 0);
  },
}));
