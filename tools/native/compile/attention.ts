/** Attention over packed rows and over a cache, and the rotation in front of it. */
import { attentionBackward, attentionForward } from '../../../src/kernels/attention.ts';
import { attentionDecode } from '../../../src/kernels/attention-decode.ts';
import { viewOf } from '../../../src/kernels/matmul.ts';
import { outputGateBackward, outputGateForward } from '../../../src/kernels/output-gate.ts';
import { rotaryBackward, rotaryForward } from '../../../src/kernels/rotary.ts';
import type { CompileContext, CompileEntry } from './run.ts';
import { LAYERS, type LayerShape } from './shapes.ts';

const ROWS = 80;

/** Sizes and groups of heads that the models above lack. */
const FURTHER: readonly AttentionHeads[] = [
  { name: 'heads of 72', heads: 2, kvHeads: 2, headDim: 72, causal: false },
  { name: 'heads of 96, groups of 4', heads: 4, kvHeads: 1, headDim: 96, causal: true },
  { name: 'heads of 128, groups of 7', heads: 28, kvHeads: 4, headDim: 128, causal: true },
];

type AttentionHeads = Pick<LayerShape, 'name' | 'heads' | 'kvHeads' | 'headDim' | 'causal'>;

function packed({ gpu, floats, ints }: CompileContext, { heads, kvHeads, headDim, causal }: AttentionHeads): void {
  const of = (count: number) => floats(ROWS, count * headDim);
  const bounds = ints(Array.from({ length: ROWS }, () => [0, ROWS]).flat(), [ROWS, 2]);
  const inputs = { q: viewOf(of(heads)), k: viewOf(of(kvHeads)), v: viewOf(of(kvHeads)), bounds };
  const shape = { rows: ROWS, heads, kvHeads, headDim, causal };
  const result = attentionForward(gpu, inputs, shape);
  attentionBackward(gpu, inputs, shape, result, of(heads), viewOf(of(kvHeads)));
}

function rotation({ gpu, floats, buffer }: CompileContext, { heads, headDim, rotary, headNorm }: LayerShape): void {
  const tables = { cos: floats(ROWS, rotary / 2), sin: floats(ROWS, rotary / 2) };
  const norm = headNorm ? { weight: buffer(headDim), eps: 1e-6 } : null;
  const x = viewOf(floats(ROWS, heads * headDim));
  const y = rotaryForward(gpu, x, ROWS, heads, headDim, tables, norm);
  rotaryBackward(gpu, x, ROWS, heads, headDim, tables, norm, viewOf(y), viewOf(floats(ROWS, heads * headDim)));
}

function decode({ gpu, floats, ints }: CompileContext, { heads, kvHeads, headDim }: AttentionHeads): void {
  const rows = () => floats(ROWS, kvHeads * headDim);
  const spans = ints([0, 64, 64, 16], [1, 4]);
  attentionDecode(gpu, floats(1, heads * headDim), { keys: rows(), values: rows() }, { keys: rows(), values: rows() }, spans, { heads, kvHeads, headDim });
}

export const ATTENTION: readonly CompileEntry[] = [
  ...[...LAYERS, ...FURTHER].map((layer) => ({ name: `attention ${layer.name}`, run: (context: CompileContext) => packed(context, layer) })),
  ...LAYERS.map((layer) => ({ name: `rotary ${layer.name}`, run: (context: CompileContext) => rotation(context, layer) })),
  ...[...LAYERS, ...FURTHER].filter(({ causal }) => causal).map((layer) => ({ name: `attention decode ${layer.name}`, run: (context: CompileContext) => decode(context, layer) })),
  {
    name: 'output gate qwen3.5',
    run: ({ gpu, floats }) => {
      const { heads, headDim } = LAYERS.find(({ name }) => name === 'qwen3.5-0.8b')!;
      const [attention, gates, dGates] = [0, 0, 0].map(() => floats(ROWS, heads * headDim));
      const y = outputGateForward(gpu, attention, viewOf(gates), headDim);
      outputGateBackward(gpu, attention, viewOf(gates), headDim, y, viewOf(dGates));
    },
  },
];
