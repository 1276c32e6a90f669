/**
 * Antialiased image resizing in integer arithmetic, bit-exact to what the reference processors do on the CPU.
 *
 * Weights are normalised in double precision and scaled to integers by a power of two; every output is an integer sum,
 * rounded and clipped to 8 bits after each pass. The horizontal pass comes first; a pass that changes nothing is skipped.
 */
import { invariant } from '../protocol/errors.ts';
import type { ResizedImage } from './types.ts';

/** 8-bit RGB, row by row: the same layout before and after resizing. */
export type RgbImage = ResizedImage;

/** Weights of one axis: output o sums taps[o] inputs from first[o] on, weights at o × stride. */
interface AxisWeights {
  first: Int32Array;
  taps: Int32Array;
  weights: Int32Array;
  stride: number;
  /** Weights are fixed-point numbers with this many fraction bits. */
  precision: number;
}

interface Filter {
  support: number;
  weight: (x: number) => number;
  /** Fraction bits for a given largest weight. */
  precision: (largest: number) => number;
}

/** Keys' cubic with a = -0.5; 16-bit weights with as many fraction bits as fit, as torchvision chooses them. */
const BICUBIC: Filter = {
  support: 2,
  weight(signed) {
    const x = Math.abs(signed);
    if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
    if (x < 2) return (((x - 5) * x + 8) * x - 4) * -0.5;
    return 0;
  },
  precision(largest) {
    let bits = 0;
    while (bits < 21 && Math.trunc(0.5 + largest * 2 ** (bits + 1)) < 32768) bits++;
    return bits;
  },
};

/** Windowed sinc of radius 3 with 22 fraction bits, as Pillow's LANCZOS. */
const LANCZOS: Filter = {
  support: 3,
  weight(x) {
    return x > -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0;
  },
  precision: () => 22,
};

function sinc(x: number): number {
  if (x === 0) return 1;
  const angle = x * Math.PI;
  return Math.sin(angle) / angle;
}

function axisWeights(inputSize: number, outputSize: number, filter: Filter): AxisWeights {
  const scale = inputSize / outputSize;
  const stretch = Math.max(scale, 1);
  const reach = filter.support * stretch;
  const stride = Math.ceil(reach) * 2 + 1;
  const first = new Int32Array(outputSize);
  const taps = new Int32Array(outputSize);
  const real = new Float64Array(outputSize * stride);
  let largest = 0;
  for (let o = 0; o < outputSize; o++) {
    const center = scale * (o + 0.5);
    const from = Math.max(Math.trunc(center - reach + 0.5), 0);
    const to = Math.min(Math.trunc(center + reach + 0.5), inputSize);
    let total = 0;
    for (let i = from; i < to; i++) {
      const w = filter.weight((i - center + 0.5) / stretch);
      real[o * stride + i - from] = w;
      total += w;
    }
    for (let k = o * stride; k < o * stride + to - from; k++) {
      real[k] /= total;
      if (real[k] > largest) largest = real[k];
    }
    first[o] = from;
    taps[o] = to - from;
  }
  const precision = filter.precision(largest);
  const weights = new Int32Array(real.length);
  for (let k = 0; k < real.length; k++) weights[k] = Math.trunc(real[k] * 2 ** precision + (real[k] < 0 ? -0.5 : 0.5));
  return { first, taps, weights, stride, precision };
}

function resizeRows(image: RgbImage, width: number, filter: Filter): RgbImage {
  const { first, taps, weights, stride, precision } = axisWeights(image.width, width, filter);
  const source = image.pixels;
  const pixels = new Uint8ClampedArray(image.height * width * 3);
  const half = 1 << (precision - 1);
  let out = 0;
  for (let y = 0; y < image.height; y++) {
    const row = y * image.width * 3;
    for (let x = 0; x < width; x++) {
      let r = half;
      let g = half;
      let b = half;
      let p = row + first[x] * 3;
      const end = x * stride + taps[x];
      for (let k = x * stride; k < end; k++) {
        const w = weights[k];
        r += w * source[p];
        g += w * source[p + 1];
        b += w * source[p + 2];
        p += 3;
      }
      pixels[out++] = r >> precision;
      pixels[out++] = g >> precision;
      pixels[out++] = b >> precision;
    }
  }
  return { pixels: new Uint8Array(pixels.buffer), height: image.height, width };
}

function resizeColumns(image: RgbImage, height: number, filter: Filter): RgbImage {
  const { first, taps, weights, stride, precision } = axisWeights(image.height, height, filter);
  const source = image.pixels;
  const rowLength = image.width * 3;
  const pixels = new Uint8ClampedArray(height * rowLength);
  const sums = new Int32Array(rowLength);
  const half = 1 << (precision - 1);
  for (let y = 0; y < height; y++) {
    sums.fill(half);
    for (let k = 0; k < taps[y]; k++) {
      const w = weights[y * stride + k];
      const row = (first[y] + k) * rowLength;
      for (let i = 0; i < rowLength; i++) sums[i] += w * source[row + i];
    }
    const out = y * rowLength;
    for (let i = 0; i < rowLength; i++) pixels[out + i] = sums[i] >> precision;
  }
  return { pixels: new Uint8Array(pixels.buffer), height, width: image.width };
}

function resize(image: RgbImage, height: number, width: number, filter: Filter): RgbImage {
  invariant(height > 0 && width > 0 && image.pixels.length === image.height * image.width * 3, 'resize: pixel count disagrees with the size');
  let result = image;
  if (width !== image.width) result = resizeRows(result, width, filter);
  if (height !== image.height) result = resizeColumns(result, height, filter);
  return result;
}

/** Bicubic with antialiasing, the model's own resizing; equal to torchvision's uint8 path on the CPU, bit for bit. */
export function resizeBicubic(image: RgbImage, height: number, width: number): RgbImage {
  return resize(image, height, width, BICUBIC);
}

/** Lanczos of radius 3 with Pillow's arithmetic, for the shrinking to `max_image_size` before the model's resizing. */
export function resizeLanczos(image: RgbImage, height: number, width: number): RgbImage {
  return resize(image, height, width, LANCZOS);
}
