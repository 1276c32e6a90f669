/** The forms of packed attention, in order of preference. */
import type { DeviceProfile } from '../gpu/device-shape.ts';
import type { Gpu } from '../gpu/gpu.ts';
import { invariant } from '../protocol/errors.ts';
import { rowKernels } from './attention-rows.ts';
import { MAX_TILED_HEAD, ROWS, tileGeometry, workgroupBytes } from './attention-geometry.ts';
import { TILED_BACKWARD_KV } from './attention-tiled-kv.ts';
import { TILED_BACKWARD_Q } from './attention-tiled-q.ts';
import { TILED_FORWARD } from './attention-tiled-forward.ts';

type RowKernels = ReturnType<typeof rowKernels>;

export interface AttentionVariant extends RowKernels {
  name: string;
  /** Devices whose first choice it may be. */
  profiles: readonly DeviceProfile[];
  /** Rows of a head that a workgroup takes. */
  rowsPerGroup: number;
  fits(gpu: Gpu, headDim: number): boolean;
}

export const ATTENTION_VARIANTS: readonly AttentionVariant[] = [
  {
    name: 'tiled',
    profiles: ['gpu'],
    rowsPerGroup: ROWS,
    fits: ({ device: { limits } }, headDim) => headDim <= MAX_TILED_HEAD && Math.max(workgroupBytes(tileGeometry(headDim, 1)), workgroupBytes(tileGeometry(headDim, 2))) <= limits.maxComputeWorkgroupStorageSize,
    forward: TILED_FORWARD,
    backwardQ: TILED_BACKWARD_Q,
    backwardKv: TILED_BACKWARD_KV,
  },
  { name: '64 rows', profiles: ['gpu'], rowsPerGroup: 64, fits: () => true, ...rowKernels(64) },
  { name: '8 rows', profiles: ['rasterizer'], rowsPerGroup: 8, fits: () => true, ...rowKernels(8) },
];

/** The first variant for this device that can do heads of this size. */
export function attentionVariant(gpu: Gpu, headDim: number): AttentionVariant {
  const variant = ATTENTION_VARIANTS.find(({ profiles, fits }) => profiles.includes(gpu.profile) && fits(gpu, headDim));
  invariant(variant, `attention: no variant for heads of ${headDim}`);
  return variant;
}
