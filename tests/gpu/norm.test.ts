import { describe, expect, it } from 'vitest';
import { normBackward, normForward } from '../../src/kernels/norm.ts';
import { plainNorm, plainNormGradient } from '../reference/norm.ts';
import { noise, relativeError, useGpu } from './open.ts';

/** Float32 sums of up to 1,030 squares lose a few units in the last place (6e-8 each) to summation order. */
const TOLERANCE = 2e-6;
const SHAPES: [rows: number, size: number][] = [[1, 1], [7, 3], [5, 48], [37, 64], [6, 80], [3, 131], [4, 256], [2, 1030]];

describe.each(['rasterizer', 'gpu'] as const)('norms shaped for a %s', (profile) => {
  const gpuOf = useGpu(profile);

  it.each(['RMSNorm', 'LayerNorm'])('%s: output and input gradient equal the plain ones for odd shapes', async (kind) => {
    const gpu = gpuOf();
    const eps = 1e-6;
    for (const [rows, size] of SHAPES) {
      const x = noise(rows * size, 1).map((value) => 3 * value + 0.5);
      const w = noise(size, 2).map((value) => 1 + value);
      const b = kind === 'LayerNorm' ? noise(size, 3) : null;
      const dy = noise(rows * size, 4);
      const addend = noise(rows * size, 5);
      const weight = gpu.createBuffer(w);
      const norm = { weight, bias: b ? gpu.createBuffer(b) : undefined, size, eps };
      const [xt, dyt, addendT] = [x, dy, addend].map((values) => gpu.upload(values, [rows, size]));
      const y = normForward(gpu, xt, norm);
      expect(relativeError(await gpu.readFloats(y), plainNorm(x, w, b, size, eps)), `forward ${rows}×${size}`).toBeLessThan(TOLERANCE);
      // A LayerNorm of one value is constant: its gradient is 0 and differences measure rounding only.
      if (size > 1) {
        const expected = plainNormGradient(x, w, b, size, eps, dy);
        const dx = normBackward(gpu, xt, norm, dyt);
        expect(relativeError(await gpu.readFloats(dx), expected), `backward ${rows}×${size}`).toBeLessThan(TOLERANCE);
        const sum = normBackward(gpu, xt, norm, dyt, addendT);
        expect(relativeError(await gpu.readFloats(sum), expected.map((value, i) => value + addend[i])), `addend ${rows}×${size}`).toBeLessThan(TOLERANCE);
        dx.dispose();
        sum.dispose();
      }
      [xt, dyt, addendT, y].forEach((tensor) => tensor.dispose());
      gpu.destroyBuffer(weight);
      if (norm.bias) gpu.destroyBuffer(norm.bias);
    }
  });

  it('rows of zeros and rows of one repeated value stay finite', async () => {
    const gpu = gpuOf();
    const size = 48;
    const x = new Float32Array(2 * size).fill(7, size);
    const weight = gpu.createBuffer(new Float32Array(size).fill(1));
    const bias = gpu.createBuffer(new Float32Array(size).fill(0.25));
    const xt = gpu.upload(x, [2, size]);
    const layer = await gpu.readFloats(normForward(gpu, xt, { weight, bias, size, eps: 1e-6 }));
    expect([...new Set(layer)]).toEqual([0.25]);
    const rms = await gpu.readFloats(normForward(gpu, xt, { weight, size, eps: 1e-6 }));
    expect(relativeError(rms, x.map((value) => value / 7))).toBeLessThan(TOLERANCE);
  });
});

describe('many rows', () => {
  const gpuOf = useGpu();

  it('more rows than one dispatch dimension holds are all normalised', async () => {
    const gpu = gpuOf();
    const rows = 65_540;
    const x = noise(rows, 6).map((value) => value + 2);
    const weight = gpu.createBuffer(Float32Array.of(1.5));
    const y = await gpu.readFloats(normForward(gpu, gpu.upload(x, [rows, 1]), { weight, size: 1, eps: 1 }));
    expect(relativeError(y, plainNorm(x, [1.5], null, 1, 1))).toBeLessThan(TOLERANCE);
  });
});
