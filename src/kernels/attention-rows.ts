/** Attention row by row: a thread takes one row of a head. What a CPU that plays a GPU likes; a GPU runs out of registers. */
import { withConstants } from '../gpu/kernel.ts';
import { defineBackwardKv, defineBackwardQ, defineForward } from './attention-kernel.ts';
import forwardWgsl from './attention-rows-forward.wgsl?raw';
import kvWgsl from './attention-rows-kv.wgsl?raw';
import qWgsl from './attention-rows-q.wgsl?raw';

/** The three kernels with that many threads a workgroup. */
export function rowKernels(threads: number) {
  const name = `${threads} rows`;
  const text = (wgsl: string) => () => withConstants({ THREADS: threads }, wgsl);
  return { forward: defineForward(name, text(forwardWgsl)), backwardQ: defineBackwardQ(name, text(qWgsl)), backwardKv: defineBackwardKv(name, text(kvWgsl)) };
}
