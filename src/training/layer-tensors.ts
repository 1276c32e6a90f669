/**
 * The tensors that a decoder layer or a block of a vision tower takes and frees, in the order in which model/parts does.
 *
 * Per row, with H, I, Q, K hidden, MLP, query and key widths and r the rank: forward keeps 3H + 3Q + 3K + 3I and the products with
 * the factors; backward takes H and 3I more where it is widest, and 3Q + 2K or what the mixer needs once the MLP's are free.
 */
import type { LayerShape } from '../families/architecture.ts';
import type { Counted, PoolForecast } from './pool-forecast.ts';

/** A stack's layer in a pass. */
export interface LayerPass {
  pool: PoolForecast;
  shape: LayerShape;
  rows: number;
  /** Rank of its adapters; 0 without. */
  rank: number;
  /** Queries, keys and values are one tensor, as in vision towers. */
  joint: boolean;
}

export interface LayerKept {
  normed: Counted;
  qkv: Counted[];
  hQkv: Counted | null;
  rotated: Counted[];
  attended: Counted[];
  hO: Counted | null;
  middle: Counted;
  normedMiddle: Counted;
  hMlp: Counted | null;
  /** Gate and up, or the one before the activation. */
  inner: Counted[];
  activated: Counted;
  hDown: Counted | null;
}

/** Columns of one attention head, about; of the sums beside its output there are two a head. */
const HEAD = 64;

/** The output, and what backward needs. */
export function layerForward({ pool, shape, rows, rank, joint }: LayerPass): { y: Counted; kept: LayerKept } {
  const { hidden, inner, innerTensors, queries, keys, extra } = shape;
  const take = (width: number) => pool.take(rows * width);
  const h = (modules: number) => (rank > 0 ? take(modules * rank) : null);
  const normed = take(hidden);
  const hQkv = h(joint ? 1 : 3);
  const qkv = joint ? [take(queries + 2 * keys)] : [take(queries), take(keys), take(keys)];
  const rotated = [take(queries), take(keys)];
  const attended = [take(queries), take((2 * queries) / HEAD), ...(extra > 0 ? [take(extra)] : [])];
  const hO = h(1);
  const middle = take(hidden);
  const normedMiddle = take(hidden);
  const hMlp = h(innerTensors - 1);
  const inners = Array.from({ length: innerTensors - 1 }, () => take(inner));
  const activated = take(inner);
  const hDown = h(1);
  const y = take(hidden);
  return { y, kept: { normed, qkv, hQkv, rotated, attended, hO, middle, normedMiddle, hMlp, inner: inners, activated, hDown } };
}

export function discardLayer(pool: PoolForecast, kept: LayerKept): void {
  pool.free(...Object.values(kept as unknown as Record<string, Counted | Counted[] | null>).flat());
}

/** Frees what was kept; the gradient of the input, or null when nothing below needs it. */
export function layerBackward({ pool, shape, rows, rank, joint }: LayerPass, kept: LayerKept, needInput: boolean): Counted | null {
  const { hidden, inner, queries, keys, passing } = shape;
  const take = (width: number) => pool.take(rows * width);
  /** A linear group's backward: products with the factors, and the gradient of what it reads. */
  const group = (modules: number, width: number, wanted = true) => {
    const g = rank > 0 ? take(modules * rank) : null;
    const dx = wanted ? take(width) : null;
    pool.free(g);
    return dx;
  };
  const dActivated = group(1, inner);
  const dInner = kept.inner.map(() => take(inner));
  pool.free(dActivated, kept.activated, kept.hDown, ...kept.inner);
  const dNormedMiddle = group(kept.inner.length, hidden);
  pool.free(...dInner, kept.hMlp);
  const dMiddle = take(hidden);
  pool.free(dNormedMiddle, kept.normedMiddle, kept.middle);

  const dAttended = group(1, queries);
  const dQkv = joint ? [take(queries + 2 * keys)] : [take(queries), take(keys)];
  const dRotated = [take(queries), take(keys)];
  const meanwhile = passing > 0 ? take(passing) : null;
  pool.free(dAttended, meanwhile, ...kept.attended, kept.hO, ...kept.rotated);
  if (!joint) dQkv.push(take(keys));
  pool.free(...dRotated, ...kept.qkv);
  const dNormed = group(joint ? 1 : 3, hidden, needInput);
  pool.free(...dQkv, kept.hQkv, kept.normed);
  const dx = needInput ? take(hidden) : null;
  pool.free(dNormed, dMiddle);
  return dx;
}
