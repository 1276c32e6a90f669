/** The forms of packed attention, in order of preference. */
import type { Gpu } from '../gpu/gpu.ts';
import { chooseVariant, type Variant, type VariantTable } from '../gpu/variants.ts';
import { rowKernels } from './attention-rows.ts';
import { MAX_TILED_HEAD, ROW_THREADS, ROWS, tileGeometry, workgroupBytes } from './attention-geometry.ts';
import { TILED_BACKWARD_KV } from './attention-tiled-kv.ts';
import { TILED_BACKWARD_Q } from './attention-tiled-q.ts';
import { TILED_FORWARD } from './attention-tiled-forward.ts';

type RowKernels = ReturnType<typeof rowKernels>;

export interface AttentionVariant extends Variant<AttentionRequest>, RowKernels {
  /** Rows of a head that a workgroup takes. */
  readonly rowsPerGroup: number;
  /** What the larger of its kernels needs for heads of this size; null where they are too large. */
  needs(headDim: number): { threads: number; workgroupBytes: number } | null;
}

export interface AttentionRequest {
  headDim: number;
}

function tiledNeeds(headDim: number): ReturnType<AttentionVariant['needs']> {
  if (headDim > MAX_TILED_HEAD) return null;
  const geometries = [tileGeometry(headDim, 1), tileGeometry(headDim, 2)];
  return { threads: ROW_THREADS * Math.max(...geometries.map(({ columns }) => columns)), workgroupBytes: Math.max(...geometries.map(workgroupBytes)) };
}

function rowByRow(threads: number, { profile }: Pick<AttentionVariant, 'profile'>): AttentionVariant {
  const needs = { threads, workgroupBytes: 0 };
  return { name: `${threads} rows`, profile, ...needs, rowsPerGroup: threads, needs: () => needs, ...rowKernels(threads) };
}

export const ATTENTION_VARIANTS: readonly AttentionVariant[] = [
  {
    name: 'tiled', profile: 'gpu', threads: ROW_THREADS, workgroupBytes: 0, rowsPerGroup: ROWS, needs: tiledNeeds,
    forward: TILED_FORWARD, backwardQ: TILED_BACKWARD_Q, backwardKv: TILED_BACKWARD_KV,
  },
  rowByRow(64, { profile: 'gpu' }),
  rowByRow(8, { profile: 'rasterizer' }),
];

export const ATTENTION: VariantTable<AttentionRequest, AttentionVariant> = { family: 'attention', variants: ATTENTION_VARIANTS, classOf: ({ headDim }) => `heads of ${headDim}` };

/** Whether the device can run the variant for heads of this size. */
export function canAttend({ device: { limits } }: Gpu, variant: AttentionVariant, headDim: number): boolean {
  const needs = variant.needs(headDim);
  return needs !== null && needs.threads <= limits.maxComputeInvocationsPerWorkgroup && needs.workgroupBytes <= limits.maxComputeWorkgroupStorageSize;
}

/** The variant that heads of this size take on this device. */
export function attentionVariant(gpu: Gpu, headDim: number): AttentionVariant {
  return chooseVariant(gpu, ATTENTION, { headDim }, (variant) => canAttend(gpu, variant, headDim));
}
