import { describe, expect, it } from 'vitest';
import type { DeviceProfile } from '../../src/gpu/device-shape.ts';
import type { Gpu } from '../../src/gpu/gpu.ts';
import { attentionForward } from '../../src/kernels/attention.ts';
import { ATTENTION_VARIANTS, attentionVariant } from '../../src/kernels/attention-variants.ts';
import { checkAttention, variantOf } from './attention-case.ts';
import { useGpu } from './open.ts';

/** Three samples, one of a single row, then padding rows that see themselves only. */
const SEGMENTS = [7, 1, 12, 1, 1, 1];

/** One shape for each size of heads, so that each kernel is compiled once. Groups of 1, 2, 4 and 8. */
const HEADS = {
  12: { heads: 3, kvHeads: 3, headDim: 12 },
  32: { heads: 1, kvHeads: 1, headDim: 32 },
  64: { heads: 4, kvHeads: 2, headDim: 64 },
  72: { heads: 2, kvHeads: 2, headDim: 72 },
  80: { heads: 2, kvHeads: 2, headDim: 80 },
  96: { heads: 8, kvHeads: 1, headDim: 96 },
  128: { heads: 4, kvHeads: 1, headDim: 128 },
  256: { heads: 2, kvHeads: 1, headDim: 256 },
};

describe('attention in the form for a rasterizer', () => {
  const gpuOf = useGpu();
  const variant = variantOf('8 rows');

  it.each([HEADS[12], HEADS[32], HEADS[64], HEADS[80], HEADS[128], HEADS[256]])('$heads heads over $kvHeads of $headDim, causal and bidirectional, over packed segments', async (heads) => {
    for (const causal of [true, false]) await checkAttention(gpuOf(), variant, { ...heads, causal, segments: SEGMENTS, sharpness: 2 });
  });
});

describe.each(ATTENTION_VARIANTS)('attention in the form "$name"', (variant) => {
  const gpuOf = useGpu();

  it('one row, one segment over all rows, and sharp scores', async () => {
    for (const causal of [true, false]) {
      for (const [segments, sharpness] of [[[1], 1], [[41], 1], [[3, 16], 40]] as const) await checkAttention(gpuOf(), variant, { ...HEADS[32], causal, segments, sharpness });
    }
  });

  it('many windows of odd small lengths, as a vision tower cuts a picture', async () => {
    const segments = Array.from({ length: 24 }, (_, i) => 1 + ((i * 5) % 9));
    await checkAttention(gpuOf(), variant, { ...HEADS[80], causal: false, segments, sharpness: 2 });
  });

  it('more rows than a workgroup takes', async () => {
    for (const causal of [true, false]) await checkAttention(gpuOf(), variant, { ...HEADS[64], causal, segments: [33, 1, 30, 1, 1, 1], sharpness: 2 });
  });
});

describe('tiled attention', () => {
  const gpuOf = useGpu();
  const variant = variantOf('tiled');

  it.each(Object.values(HEADS))('$heads heads over $kvHeads of $headDim', async (heads) => {
    for (const causal of [true, false]) await checkAttention(gpuOf(), variant, { ...heads, causal, segments: [40, 1, 30, 1], sharpness: 2 });
  });

  it.each([HEADS[80], HEADS[256]])('several tiles of columns, of which the last is partly used: heads of $headDim', async (heads) => {
    await checkAttention(gpuOf(), variant, { ...heads, causal: true, segments: [5, 301, 2] });
  });

  it('a segment of 600 rows between others', async () => {
    await checkAttention(gpuOf(), variant, { ...HEADS[64], causal: true, segments: [17, 600, 13] });
  });

  it('one segment of 3000 rows', async () => {
    await checkAttention(gpuOf(), variant, { ...HEADS[32], causal: true, segments: [3000] });
  });
});

describe('the choice of a form', () => {
  const device = (profile: DeviceProfile, maxComputeWorkgroupStorageSize: number, maxComputeInvocationsPerWorkgroup = 256, choices = new Map<string, string>()) =>
    ({ profile, forced: new Set(), choices, device: { features: new Set(), limits: { maxComputeWorkgroupStorageSize, maxComputeInvocationsPerWorkgroup } } }) as unknown as Gpu;

  it.each(['gpu', 'rasterizer'] as const)('on a %s there is one for each size of heads', (profile) => {
    for (const headDim of [12, 64, 80, 128, 256]) expect(attentionVariant(device(profile, 16384), headDim).name).toBe(profile === 'gpu' ? 'tiled' : '8 rows');
  });

  it('heads too large for registers go row by row, and so do all where workgroup memory is small', () => {
    expect(attentionVariant(device('gpu', 16384), 512).name).toBe('64 rows');
    expect(attentionVariant(device('gpu', 4096), 128).name).toBe('64 rows');
    expect(attentionVariant(device('gpu', 16384, 64), 128).name).toBe('64 rows');
  });

  it('is the device’s own for heads of that size, where it can run', () => {
    const choices = new Map([['attention: heads of 128', '8 rows'], ['attention: heads of 512', 'tiled']]);
    const gpu = device('gpu', 16384, 256, choices);
    expect([64, 128, 512].map((headDim) => attentionVariant(gpu, headDim).name)).toEqual(['tiled', '8 rows', '64 rows']);
  });
});

describe('views that the kernel cannot read', () => {
  const gpuOf = useGpu();

  it('are refused, not misread', () => {
    const gpu = gpuOf();
    const view = { data: gpu.empty([3, 34]), stride: 34, offset: 0 };
    const inputs = { q: view, k: view, v: view, bounds: gpu.upload(Int32Array.of(0, 3, 0, 3, 0, 3), [3, 2]) };
    expect(() => attentionForward(gpu, inputs, { rows: 3, heads: 1, kvHeads: 1, headDim: 32, causal: true })).toThrow(/Invariant violation.*stride 34/);
  });
});
