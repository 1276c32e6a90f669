/** Heads that lie apart, e.g. queries and gates that a joint projection leaves in turn. */
import { invariant } from '../protocol/errors.ts';
import type { MatrixView } from './matmul.ts';

/** Value i of head h in row m = data[m · stride + offset + h · headStride + i]. */
export interface HeadView extends MatrixView {
  /** The head dimension when left out: heads lie side by side. */
  headStride?: number;
}

/** Gradients are written with the index arithmetic of what they belong to. */
export function checkSameLayout(kernel: string, view: HeadView, gradient: HeadView, headDim: number): void {
  const same = view.stride === gradient.stride && view.offset === gradient.offset && (view.headStride ?? headDim) === (gradient.headStride ?? headDim);
  invariant(same, `${kernel}: the gradient is laid out otherwise than its input`);
}
