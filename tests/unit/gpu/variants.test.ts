import { describe, expect, it } from 'vitest';
import type { DeviceProfile } from '../../../src/gpu/device-shape.ts';
import type { Gpu } from '../../../src/gpu/gpu.ts';
import { chooseVariant } from '../../../src/gpu/variants.ts';
import { PRODUCT_VARIANTS, PRODUCTS, splitsFor, type ProductRequest, type ProductVariant, type TileVariant } from '../../../src/kernels/product-variants.ts';

const WEBGPU_DEFAULTS = { maxComputeInvocationsPerWorkgroup: 256, maxComputeWorkgroupStorageSize: 16384 };

const deviceOf = (profile: DeviceProfile, limits: Partial<typeof WEBGPU_DEFAULTS> = {}, forced: string[] = [], choices: Record<string, string> = {}) =>
  ({ profile, forced: new Set(forced), choices: new Map(Object.entries(choices)), device: { features: new Set(), limits: { ...WEBGPU_DEFAULTS, ...limits } } }) as unknown as Gpu;

const request = (rows: number, columns: number, depth = 2048): ProductRequest => ({ form: 'nt', kind: 'nf4', half: false, rows, columns, depth });
const named = (name: string) => PRODUCT_VARIANTS.find((variant) => variant.name === name)!;
const chosen = (gpu: Gpu, rows: number, columns: number, possible?: (variant: ProductVariant) => boolean) => chooseVariant(gpu, PRODUCTS, request(rows, columns), possible).name;

describe('the variant of a product', () => {
  it('follows the number of rows on a GPU with the limits that every WebGPU device has', () => {
    const gpu = deviceOf('gpu');
    expect([1, 2, 8, 9, 128, 129].map((rows) => chosen(gpu, rows, 2048))).toEqual(['vector 1', 'vector 4', 'vector 8', 'tile 32 × 32', 'tile 32 × 32', 'tile 128 × 64']);
    // A LoRA factor is as narrow as its rank.
    expect(chosen(gpu, 1024, 16)).toBe('tile 32 × 32');
  });

  it('is a smaller one where the device has room for less', () => {
    expect(chosen(deviceOf('gpu', { maxComputeInvocationsPerWorkgroup: 64 }), 1024, 2048)).toBe('tile 32 × 32');
    expect(chosen(deviceOf('gpu', { maxComputeWorkgroupStorageSize: 8192 }), 8, 2048, ({ family }) => family === 'vector' || family === 'tile')).toBe('tile 32 × 32');
    expect(() => chosen(deviceOf('gpu', { maxComputeInvocationsPerWorkgroup: 16 }), 1024, 2048)).toThrow(/no variant .* runs on this device/);
  });

  it('is tall or flat on a rasteriser', () => {
    const gpu = deviceOf('rasterizer');
    expect([8, 9].map((rows) => chosen(gpu, rows, 2048))).toEqual(['rasterizer flat', 'rasterizer tall']);
  });

  it('is the forced one, unless the result would be wrong', () => {
    const gpu = deviceOf('gpu', {}, ['vector 4']);
    const possible = (rows: number) => (variant: ProductVariant) => variant.family === 'tile' || rows <= variant.rows;
    expect(chosen(gpu, 1, 2048, possible(1))).toBe('vector 4');
    expect(chosen(gpu, 200, 2048, possible(200))).toBe('tile 128 × 64');
  });
});

describe('a choice', () => {
  const choices = { 'product: nt nf4, rows > 128': 'tile 32 × 32', 'product: nt nf4, rows ≤ 4': 'rasterizer flat', 'product: nt nf4, rows ≤ 128': 'vector 8' };
  const possible = (rows: number) => (variant: ProductVariant) => variant.family === 'tile' || rows <= variant.rows;

  it('holds for its class of requests and no other, whatever kind of device its variant is for', () => {
    const gpu = deviceOf('gpu', {}, [], choices);
    expect([1, 2, 4, 8, 129].map((rows) => chosen(gpu, rows, 2048, possible(rows)))).toEqual(['vector 1', 'rasterizer flat', 'rasterizer flat', 'vector 8', 'tile 32 × 32']);
    expect(chosen(deviceOf('rasterizer', {}, [], choices), 129, 16)).toBe('rasterizer tall');
  });

  it('gives way to the table where it cannot run, and to what is forced', () => {
    expect(chosen(deviceOf('gpu', {}, [], choices), 128, 2048, possible(128))).toBe('tile 32 × 32');
    expect(chosen(deviceOf('gpu', { maxComputeInvocationsPerWorkgroup: 64 }, [], { 'product: nt nf4, rows > 128': 'tile 128 × 64' }), 129, 2048)).toBe('tile 32 × 32');
    expect(chosen(deviceOf('gpu', {}, ['vector 4'], choices), 4, 2048, possible(4))).toBe('vector 4');
    expect(chosen(deviceOf('gpu', {}, [], { 'product: nt nf4, rows > 128': 'a tile of old' }), 129, 2048)).toBe('tile 128 × 64');
  });
});

describe('sums in pieces', () => {
  const small = named('tile 32 × 32') as TileVariant;

  it('are cut where few workgroups would walk a long way, and nowhere else', () => {
    expect(splitsFor(small, request(1024, 16))).toBe(16);
    expect(splitsFor(small, request(128, 16))).toBe(16);
    expect(splitsFor(small, request(128, 2048))).toBe(4);
    expect(splitsFor(small, request(1024, 2048))).toBe(1);
    expect(splitsFor(named('tile 128 × 64') as TileVariant, request(256, 2048))).toBe(6);
    expect(splitsFor(small, request(128, 16, 64))).toBe(1);
    expect(splitsFor(named('rasterizer tall') as TileVariant, request(128, 16))).toBe(1);
  });
});
