import { describe, expect, it } from 'vitest';
import { addInterpolatedRows, embeddingLookup, type GpuTable } from '../../src/kernels/embedding.ts';
import { uploadWeight } from '../../src/kernels/matmul.ts';
import { planRowSums, scatterRowSums } from '../../src/kernels/row-sums.ts';
import { gatherRows, scatterAddRows, scatterRows } from '../../src/kernels/rows.ts';
import { packWeight, unpack, type WeightKind } from '../../src/quantization/packed-weight.ts';
import { plainGather, plainInterpolate, plainScatter, plainScatterSums } from '../reference/rows.ts';
import { noise, relativeError, useGpu } from './open.ts';

const gpuOf = useGpu();
const SHAPES: [rows: number, size: number, index: number[]][] = [[9, 5, [8, 0, 3]], [1, 1, [0]], [33, 64, [32, 1, 2, 17, 0]], [4, 131, [2, 0, 1, 3]]];

describe('rows by index', () => {
  it('gather, scatter and scatter-add move exactly the rows named', async () => {
    const gpu = gpuOf();
    for (const [rows, size, index] of SHAPES) {
      const large = noise(rows * size, 1);
      const small = noise(index.length * size, 2);
      const indexT = gpu.upload(Int32Array.from(index), [index.length]);
      const smallT = gpu.upload(small, [index.length, size]);
      // No arithmetic but one addition: exact.
      expect(await gpu.readFloats(gatherRows(gpu, gpu.upload(large, [rows, size]), indexT))).toEqual(plainGather(large, index, size));
      const put = gpu.upload(large, [rows, size]);
      scatterRows(gpu, smallT, indexT, put);
      expect(await gpu.readFloats(put)).toEqual(plainScatter(small, index, large, size, false));
      const added = gpu.upload(large, [rows, size]);
      scatterAddRows(gpu, smallT, indexT, added);
      expect(await gpu.readFloats(added)).toEqual(plainScatter(small, index, large, size, true));
    }
  });

  it('gathering may repeat rows; an empty index does nothing', async () => {
    const gpu = gpuOf();
    const source = noise(7 * 3, 3);
    const gathered = gatherRows(gpu, gpu.upload(source, [7, 3]), gpu.upload(Int32Array.of(6, 6, 0, 6), [4]));
    expect(await gpu.readFloats(gathered)).toEqual(plainGather(source, [6, 6, 0, 6], 3));
    const target = gpu.upload(source, [7, 3]);
    scatterAddRows(gpu, gpu.upload(new Float32Array(0), [0, 3]), gpu.upload(new Int32Array(0), [0]), target);
    expect(await gpu.readFloats(target)).toEqual(source);
  });
});

describe('sums of rows', () => {
  it.each<[rows: number, size: number, index: number[]]>([[9, 5, [8, 0, 8, 3, 8, 0]], [1, 1, [0, 0]], [40, 67, [39, 2, 2, 17, 39, 39, 1]], [4, 64, [2, 0, 1, 3]]])('of %d rows of %d go where %j says', async (rows, size, index) => {
    const gpu = gpuOf();
    const source = noise(index.length * size, 8);
    const base = noise(rows * size, 9);
    const target = gpu.upload(base, [rows, size]);
    scatterRowSums(gpu, gpu.upload(source, [index.length, size]), planRowSums(gpu, Int32Array.from(index)), target);
    // float32 additions in the same order: exact.
    expect(await gpu.readFloats(target)).toEqual(plainScatterSums(source, index, base, size));
  });
});

/** A table cut before the rows `cuts`, as one too large for a binding is. */
function tableOf(kind: WeightKind, values: Float32Array, rows: number, cols: number, cuts: number[]): { table: GpuTable; plain: Float32Array } {
  const gpu = gpuOf();
  const starts = [0, ...cuts];
  const plain = new Float32Array(rows * cols);
  const parts = starts.map((firstRow, i) => {
    const last = starts[i + 1] ?? rows;
    const packed = packWeight(kind, values.subarray(firstRow * cols, last * cols), last - firstRow, cols);
    plain.set(unpack(packed), firstRow * cols);
    return { firstRow, weight: uploadWeight(gpu, packed) };
  });
  return { table: { rows, cols, parts }, plain };
}

describe.each<WeightKind>(['bf16', 'f32', 'int8'])('%s tables', (kind) => {
  it.each([[[]], [[11]], [[1, 2, 30]]])('lookup with cuts before rows %j gives the rows, exactly', async (cuts) => {
    const gpu = gpuOf();
    const [rows, cols] = [31, 37];
    const { table, plain } = tableOf(kind, noise(rows * cols, 4), rows, cols, cuts);
    const ids = Int32Array.of(30, 0, 10, 11, 11, 1, 2, 29);
    // Unpacking is one product of a small integer or nothing at all: exact.
    expect(await gpu.readFloats(embeddingLookup(gpu, table, gpu.upload(ids, [ids.length])))).toEqual(plainGather(plain, ids, cols));
  });

  it('interpolation adds four weighted rows to what is there', async () => {
    const gpu = gpuOf();
    const [rows, cols, patches] = [25, 13, 7];
    const { table, plain } = tableOf(kind, noise(rows * cols, 5), rows, cols, []);
    const indices = Int32Array.from({ length: patches * 4 }, (_, i) => (i * 7) % rows);
    const shares = noise(patches * 4, 6);
    const base = noise(patches * cols, 7);
    const y = gpu.upload(base, [patches, cols]);
    addInterpolatedRows(gpu, table.parts[0].weight, gpu.upload(indices, [patches, 4]), gpu.upload(shares, [patches, 4]), y);
    // Five float32 terms.
    expect(relativeError(await gpu.readFloats(y), plainInterpolate(plain, indices, shares, base, cols))).toBeLessThan(5e-7);
  });
});
