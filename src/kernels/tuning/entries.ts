/** What is tuned: classes of requests at sizes of published models, those that a step spends most time in first. */
import type { Gpu } from '../../gpu/gpu.ts';
import type { WeightKind } from '../../quantization/packed-weight.ts';
import { attentionEntry } from './attention-entry.ts';
import { decodeEntry } from './decode-entry.ts';
import type { TuningEntry } from './entry.ts';
import { outerEntry } from './outer-entry.ts';
import { productEntry, type ProductShape } from './product-entry.ts';

/** Number of the tables and kernels: what was chosen among others is not to be used. To be raised with every change of a kernel's text or of a table. */
export const TABLES_VERSION = 2;

/** Rank of a usual adapter. */
const RANK = 16;

/** Attention of the decoder of most published models; of their vision towers, and of what else there is. */
const HEADS = { usual: 128, vision: 64, others: [80, 256] };

/** All classes; a device's speed says how large their data is. */
export function tuningEntries(gpu: Gpu): TuningEntry[] {
  const { rows, size } = gpu.shape.probe;
  const square = (form: ProductShape['form'], kind: WeightKind, count: number, half = false) => productEntry(gpu, { form, kind, half, rows: count, n: size, k: size });
  const packed = (kind: WeightKind) => [square('nt', kind, rows), square('nn', kind, rows), square('nt', kind, 1)];
  const few = (kind: WeightKind) => [square('nt', kind, 128), square('nn', kind, 128), square('nt', kind, 8), square('nt', kind, 4)];
  return [
    ...packed('nf4'),
    attentionEntry(gpu, HEADS.usual, 2 * rows),
    attentionEntry(gpu, HEADS.vision, 2 * rows),
    decodeEntry(gpu, HEADS.usual, 2 * rows),
    outerEntry(gpu, { rows: 2 * rows, countI: RANK, countJ: size, aligned: true }),
    productEntry(gpu, { form: 'nt', kind: 'f32', rows, n: RANK, k: size }),
    productEntry(gpu, { form: 'nn', kind: 'f32', rows, n: RANK, k: size }),
    ...(gpu.hasF16 ? [square('nt', 'nf4', rows, true)] : []),
    ...few('nf4'),
    ...packed('int8'),
    ...packed('bf16'),
    ...HEADS.others.flatMap((headDim) => [attentionEntry(gpu, headDim, 2 * rows), decodeEntry(gpu, headDim, 2 * rows)]),
  ];
}
