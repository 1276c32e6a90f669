/** The ways to multiply with a packed weight, the most special first. See bench/RESULTS.md for what each was measured against. */
import type { Variant, VariantTable } from '../gpu/variants.ts';
import type { WeightKind } from '../quantization/packed-weight.ts';
import type { MatmulForm } from './matmul-variant.ts';
import { tileBytes, tileColumns, tileRows, type Tile } from './tiles.ts';

/** Y [rows, columns], summed over `depth`. */
export interface ProductRequest {
  form: MatmulForm;
  kind: WeightKind;
  /** Tiles in f16. */
  half: boolean;
  rows: number;
  columns: number;
  depth: number;
}

export interface TileVariant extends Variant<ProductRequest> {
  readonly family: 'tile';
  readonly tile: Tile;
  /** Workgroups that keep a device busy: long sums over few tiles are cut into pieces until there are so many, and added afterwards. 1: never. */
  readonly enough: number;
}

/** A workgroup sums four columns of up to `rows` rows, its threads side by side along the depth. */
export interface VectorVariant extends Variant<ProductRequest> {
  readonly family: 'vector';
  readonly rows: number;
}

export type ProductVariant = TileVariant | VectorVariant;

const GPU_TILE = { padding: 1, chained: true, unrolled: true, segment: 8, ahead: true } as const;
const RASTERIZER_TILE = { padding: 0, chained: false, unrolled: false, segment: 32, ahead: false } as const;
export const VECTOR_THREADS = 64;

export function tileVariant(name: string, tile: Tile, rest: Omit<TileVariant, 'name' | 'tile' | 'family' | 'threads' | 'workgroupBytes'>): TileVariant {
  return { name, family: 'tile', tile, threads: tile.rows * tile.columns, workgroupBytes: tileBytes(tile), ...rest };
}

function vector(rows: number): VectorVariant {
  return {
    name: `vector ${rows}`, family: 'vector', profile: 'gpu', rows, threads: VECTOR_THREADS, workgroupBytes: 16 * rows * VECTOR_THREADS + 64,
    suits: (request) => request.rows <= rows,
  };
}

const large = ({ rows, columns }: ProductRequest): boolean => rows > 128 && columns > 48;

export const PRODUCT_VARIANTS: readonly ProductVariant[] = [
  // A CPU rasteriser runs four threads as one vector: few threads, much work each.
  tileVariant('rasterizer flat', { rows: 1, columns: 4, threadRows: 8, threadColumns: 4, depth: 32, ...RASTERIZER_TILE }, { profile: 'rasterizer', enough: 1, suits: ({ rows }) => rows <= 8 }),
  tileVariant('rasterizer tall', { rows: 2, columns: 2, threadRows: 16, threadColumns: 16, depth: 32, ...RASTERIZER_TILE }, { profile: 'rasterizer', enough: 1 }),
  vector(1),
  vector(4),
  vector(8),
  tileVariant('tile 128 × 64', { rows: 16, columns: 8, threadRows: 8, threadColumns: 8, depth: 16, ...GPU_TILE }, { enough: 384, suits: large }),
  tileVariant('tile 32 × 32', { rows: 8, columns: 8, threadRows: 4, threadColumns: 4, depth: 16, ...GPU_TILE }, { enough: 1024 }),
  // Never the first choice; some devices are faster with them.
  tileVariant('tile 128 × 64, 256 threads', { rows: 16, columns: 16, threadRows: 8, threadColumns: 4, depth: 16, ...GPU_TILE }, { enough: 256, suits: large }),
  tileVariant('tile 128 × 64, 256 threads, one round at a time', { rows: 16, columns: 16, threadRows: 8, threadColumns: 4, depth: 16, ...GPU_TILE, ahead: false }, { enough: 256, suits: large }),
  tileVariant('tile 64 × 64', { rows: 16, columns: 16, threadRows: 4, threadColumns: 4, depth: 16, ...GPU_TILE }, { enough: 256, suits: ({ rows, columns }) => rows > 64 && columns > 48 }),
  tileVariant('tile 64 × 64, 64 threads', { rows: 8, columns: 8, threadRows: 8, threadColumns: 8, depth: 16, ...GPU_TILE }, { enough: 512, suits: ({ rows, columns }) => rows > 64 && columns > 48 }),
];

/** Rows up to which products are alike; those of decoding one sequence, and a few at once, are limited by reading the weight. */
const ROW_CLASSES = [1, 4, 8, 128];
/** Columns up to which a product is that of a LoRA factor. */
const NARROW = 64;

/** Form, weights, class of rows, and whether the result is narrow. */
function classOf({ form, kind, half, rows, columns }: ProductRequest): string {
  const most = ROW_CLASSES.find((limit) => rows <= limit);
  return `${form} ${kind}${half ? ' f16' : ''}, ${most === undefined ? `rows > ${ROW_CLASSES[ROW_CLASSES.length - 1]}` : `rows ≤ ${most}`}${columns <= NARROW ? ', narrow' : ''}`;
}

export const PRODUCTS: VariantTable<ProductRequest, ProductVariant> = { family: 'product', variants: PRODUCT_VARIANTS, classOf };

/** Rounds of depth that a piece of a sum has at least, and most pieces. */
const [SPLIT_ROUNDS, MOST_SPLITS] = [8, 16];

/** Into how many pieces the sums of a product are cut; the same for every product of these sizes. */
export function splitsFor({ tile, enough }: TileVariant, { rows, columns, depth }: ProductRequest): number {
  const groups = Math.ceil(rows / tileRows(tile)) * Math.ceil(columns / tileColumns(tile));
  const rounds = Math.ceil(depth / tile.depth);
  return Math.max(1, Math.min(MOST_SPLITS, Math.floor(enough / groups), Math.floor(rounds / SPLIT_ROUNDS)));
}
