/** Tuning of products with packed weights. */
import type * as tf from '@tensorflow/tfjs';
import type { Gpu } from '../../gpu/gpu.ts';
import { classKey, runsOn, tableVariant } from '../../gpu/variants.ts';
import { packWeight, type WeightKind } from '../../quantization/packed-weight.ts';
import type { MatmulForm } from '../matmul-variant.ts';
import { canCompute, matmulForward, matmulTransposed, uploadWeight, viewOf, type GpuWeight } from '../matmul.ts';
import { PRODUCTS, type ProductRequest, type ProductVariant } from '../product-variants.ts';
import { candidates, F16_TOLERANCE, F32_TOLERANCE, unlessRefused, wave, type TuningEntry } from './entry.ts';

/** A product of `rows` rows with a weight [n, k]. */
export interface ProductShape {
  form: MatmulForm;
  kind: WeightKind;
  half?: boolean;
  rows: number;
  n: number;
  k: number;
}

/** Neither is a multiple of any tile, both are of what is unpacked at a time. */
const [ODD_N, ODD_K] = [76, 160];
const ODD_ROWS = 37;
const RANK = 4;
const BOUNDARY = 8;

const requestOf = ({ form, kind, half = false, rows, n, k }: ProductShape): ProductRequest => ({ form, kind, half, rows, columns: form === 'nt' ? n : k, depth: form === 'nt' ? k : n });

/** One product with all that it works on. */
class Product {
  readonly y: tf.Tensor;
  private readonly x: tf.Tensor;
  private readonly weight: GpuWeight;
  private readonly h: tf.Tensor;
  private readonly factor: GPUBuffer;

  constructor(
    private readonly gpu: Gpu,
    private readonly shape: ProductShape,
    private readonly rank: number,
  ) {
    const { kind, rows, n, k } = shape;
    const { columns, depth } = requestOf(shape);
    this.weight = uploadWeight(gpu, packWeight(kind, wave(n * k, 1), n, k));
    this.x = gpu.upload(wave(rows * depth, 2), [rows, depth]);
    this.y = gpu.empty([rows, columns]);
    this.h = gpu.upload(wave(rows * RANK, 3), [rows, RANK]);
    this.factor = gpu.createBuffer(wave(RANK * columns, 4));
  }

  multiply(variant: ProductVariant): void {
    const { gpu, x, y, weight, shape, rank } = this;
    const lowRank = rank > 0 ? { h: viewOf(this.h), factor: this.factor, factorOffset: 0, rank, scale: 0.5 } : undefined;
    const multiply = shape.form === 'nt' ? matmulForward : matmulTransposed;
    const { halfTiles } = gpu;
    gpu.halfTiles = shape.half ?? false;
    multiply(gpu, viewOf(x), shape.rows, weight, viewOf(y), { variant, lowRank });
    gpu.halfTiles = halfTiles;
  }

  close(): void {
    for (const tensor of [this.x, this.y, this.h]) tensor.dispose();
    for (const buffer of [this.weight.buffer, this.factor]) this.gpu.destroyBuffer(buffer);
  }
}

export function productEntry(gpu: Gpu, shape: ProductShape, among = candidates(gpu, PRODUCTS)): TuningEntry {
  const request = requestOf(shape);
  const possible = (variant: ProductVariant) => canCompute(variant, { ...request, aligned: true });
  const variants = among.filter((variant) => runsOn(gpu, variant) && possible(variant));
  return {
    key: classKey(PRODUCTS, request),
    flops: shape.rows > BOUNDARY ? 2 * shape.rows * shape.n * shape.k : null,
    open() {
      const [small, timed] = [new Product(gpu, { ...shape, rows: Math.min(shape.rows, ODD_ROWS), n: ODD_N, k: ODD_K }, RANK), new Product(gpu, shape, 0)];
      return {
        tolerance: shape.half ? F16_TOLERANCE : F32_TOLERANCE,
        byDefault: tableVariant(gpu, PRODUCTS, request, possible).name,
        contestants: variants.map((variant) => ({
          name: variant.name,
          run: () => timed.multiply(variant),
          results: () =>
            unlessRefused(gpu, async () => {
              small.multiply(variant);
              return [await gpu.readFloats(small.y)];
            }),
        })),
        close() {
          small.close();
          timed.close();
        },
      };
    },
  };
}
