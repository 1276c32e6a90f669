import { describe, expect, it } from 'vitest';
import { difference } from '../../src/gpu/race.ts';
import { stopwatchOf, wallStopwatch } from '../../src/gpu/stopwatch.ts';
import { chooseVariant } from '../../src/gpu/variants.ts';
import { ATTENTION } from '../../src/kernels/attention-variants.ts';
import { DECODE } from '../../src/kernels/attention-decode.ts';
import { OUTER_PRODUCTS } from '../../src/kernels/outer.ts';
import { PRODUCTS } from '../../src/kernels/product-variants.ts';
import { attentionEntry } from '../../src/kernels/tuning/attention-entry.ts';
import { decodeEntry } from '../../src/kernels/tuning/decode-entry.ts';
import { tuningEntries } from '../../src/kernels/tuning/entries.ts';
import { outerEntry } from '../../src/kernels/tuning/outer-entry.ts';
import { productEntry, type ProductShape } from '../../src/kernels/tuning/product-entry.ts';
import { tuneClass } from '../../src/kernels/tuning/tune.ts';
import { useGpu } from './open.ts';

const SIZE = { rows: 192, n: 256, k: 256 };

// The device is a CPU whose tables are in the order for GPUs: what suits it has to be found.
describe('the tuning', () => {
  const gpuOf = useGpu('gpu');

  it('finds the tiles of a rasteriser by itself where nothing is reserved', async () => {
    const gpu = gpuOf();
    const shape: ProductShape = { form: 'nt', kind: 'nf4', ...SIZE };
    const request = { form: 'nt', kind: 'nf4', half: false, rows: SIZE.rows, columns: SIZE.n, depth: SIZE.k } as const;
    expect(chooseVariant(gpu, PRODUCTS, request).name).toBe('tile 128 × 64');
    const tuned = await tuneClass(gpu, productEntry(gpu, shape, PRODUCTS.variants), () => false);
    expect(tuned).toMatchObject({ key: 'product: nt nf4, rows > 128', variant: 'rasterizer tall', usual: false });
    expect(tuned!.flopsPerSecond).toBeCloseTo((2 * SIZE.rows * SIZE.n * SIZE.k * 1000) / tuned!.milliseconds);
    gpu.choices = new Map([[tuned!.key, tuned!.variant]]);
    expect(chooseVariant(gpu, PRODUCTS, request).name).toBe('rasterizer tall');
    gpu.choices = new Map();
  });

  it('ends before the next form when it is told to', async () => {
    const gpu = gpuOf();
    expect(await tuneClass(gpu, productEntry(gpu, { form: 'nt', kind: 'nf4', ...SIZE }, PRODUCTS.variants), () => true)).toBeNull();
  });

  it('gives back all that it took', async () => {
    const gpu = gpuOf();
    const entry = outerEntry(gpu, { rows: 600, countI: 8, countJ: 64, aligned: true }, OUTER_PRODUCTS.variants);
    // How many free buffers are left depends on how often the forms ran.
    const held = async () => {
      await gpu.trim();
      return gpu.bytes();
    };
    await tuneClass(gpu, entry, () => false);
    const before = await held();
    await tuneClass(gpu, entry, () => false);
    expect(await held()).toBe(before);
  });

  it('knows a class only once', () => {
    const keys = tuningEntries(gpuOf()).map(({ key }) => key);
    expect(keys.length).toBeGreaterThan(15);
    expect(new Set(keys).size).toBe(keys.length);
  });
});

describe('forms on the data of the tuning', () => {
  const gpuOf = useGpu('gpu');

  it.each([
    ['products', () => productEntry(gpuOf(), { form: 'nt', kind: 'nf4', rows: 1, n: 256, k: 256 }, PRODUCTS.variants), 11],
    ['transposed products', () => productEntry(gpuOf(), { form: 'nn', kind: 'int8', ...SIZE }, PRODUCTS.variants), 8],
    ['attention', () => attentionEntry(gpuOf(), 32, 64, ATTENTION.variants), 3],
    ['attention of one token', () => decodeEntry(gpuOf(), 32, 64, DECODE.variants), 2],
    ['outer products', () => outerEntry(gpuOf(), { rows: 600, countI: 8, countJ: 64, aligned: true }, OUTER_PRODUCTS.variants), 3],
  ])('%s agree with the plain one', async (_, entryOf, count) => {
    const { contestants, tolerance, close } = entryOf().open();
    expect(contestants).toHaveLength(count);
    const expected = await contestants[contestants.length - 1].results();
    expect(expected!.every((values) => values.some((value) => value !== 0))).toBe(true);
    for (const { name, results } of contestants) expect(difference((await results())!, expected!), name).toBeLessThan(tolerance);
    close();
  });
});

describe('a stopwatch', () => {
  const gpuOf = useGpu();

  it('reads about the same on the GPU’s clock as on ours', async () => {
    const gpu = gpuOf();
    const [variant] = PRODUCTS.variants.filter(({ name }) => name === 'rasterizer tall');
    const { contestants, close } = productEntry(gpu, { form: 'nt', kind: 'nf4', ...SIZE }, [variant]).open();
    const [{ run }] = contestants;
    await stopwatchOf(gpu).time(run, Infinity);
    const [own, ours] = [await stopwatchOf(gpu).time(run, 1), await wallStopwatch(gpu).time(run, 1)];
    expect(own).toBeGreaterThan(0);
    expect(own / ours).toBeGreaterThan(0.1);
    expect(own / ours).toBeLessThan(10);
    close();
  });
});
