/**
 * NF4 on the GPU, bit for bit what quantization/nf4.ts computes: the GPU takes the blocks' largest magnitudes and counts thresholds,
 * the CPU takes the reciprocals, which no GPU has to round right, and quantises the scales, a sixty-fourth of the work.
 */
import { guardMemory } from '../gpu/device.ts';
import type { Gpu } from '../gpu/gpu.ts';
import { foldGroups } from '../gpu/grid.ts';
import { defineKernel, withConstants } from '../gpu/kernel.ts';
import { dynamicMap } from '../quantization/dynamic-map.ts';
import { quantizeScales } from '../quantization/nf4.ts';
import { CODE_THRESHOLDS, NF4_BLOCK, reciprocalOf } from '../quantization/nf4-code.ts';
import { assembleNf4, memoryBytes, packNf4, packedOf, type PackedWeight } from '../quantization/packed-weight.ts';
import type { WeightSource } from '../quantization/weight-source.ts';
import { emptyWeight, type GpuWeight } from './matmul.ts';
import wgsl from './quantize-nf4.wgsl?raw';

/** Weights that are on the GPU at once beside the result, in bytes. */
const CHUNK_BYTES = 2 ** 25;
/** Products with values this small may be flushed to zero; such blocks are no published model's. */
const SMALLEST = 2 ** -100;
const NOT_FINITE = 0x7f800000;

/** Weights in a word of the source: one f32 or two bf16 values. */
type PerWord = 1 | 2;

const text = ({ PER_WORD }: { PER_WORD: PerWord }) => {
  const thresholds = [...new Uint32Array(CODE_THRESHOLDS.buffer)].map((bits) => `${bits}u`).join(', ');
  return `const THRESHOLDS = array<u32, 15>(${thresholds});\n${withConstants({ PER_WORD }, wgsl)}`;
};
const PARAMS = { blocks: 'u32', firstWord: 'u32' } as const;
const LARGEST = defineKernel({
  name: 'largest magnitudes', entryPoint: 'largest', params: PARAMS, wgsl: text,
  bindings: { source: 'read array<vec4<u32>>', scales: 'read? array<u32>', result: 'write array<u32>' },
});
const ENCODE = defineKernel({
  name: 'NF4 codes', entryPoint: 'encode', params: PARAMS, wgsl: text,
  bindings: { source: 'read array<vec4<u32>>', scales: 'read? array<u32>', result: 'write array<u32>' },
});

/** Bits of each block's largest magnitude -> largest u32 [blocks]. */
export function blockMagnitudes(gpu: Gpu, source: GPUBuffer, perWord: PerWord, blocks: number, largest: GPUBuffer): void {
  gpu.run(LARGEST, { constants: { PER_WORD: perWord }, bindings: { source, result: largest }, params: { blocks, firstWord: 0 }, groups: foldGroups(Math.ceil(blocks / 64)) });
}

/** Codes of blocks, eight a word, from word `firstWord` of `codes` on. @param reciprocals of the blocks' scales, f32 [blocks] */
export function blockCodes(gpu: Gpu, source: GPUBuffer, perWord: PerWord, blocks: number, reciprocals: GPUBuffer, codes: GPUBuffer, firstWord: number): void {
  gpu.run(ENCODE, { constants: { PER_WORD: perWord }, bindings: { source, scales: reciprocals, result: codes }, params: { blocks, firstWord }, groups: foldGroups(Math.ceil((blocks * NF4_BLOCK) / 8 / 64)) });
}

/** Whether a device computes what the CPU does, found out once. */
const trusted = new WeakMap<Gpu, boolean>();

/**
 * Quantises a matrix to NF4 with double-quantised scales, on the GPU.
 * @param source rows × cols weights, float32 or bf16 bits
 * @param weight gets them
 * @returns false where the CPU has to do it, and `weight` holds nothing of use: weights that are not finite, of which it tells the
 * first, or too small; sizes that do not fill blocks; a device whose results differ
 * @throws LorikeetError "out-of-memory"
 */
export async function quantizeNf4OnGpu(gpu: Gpu, source: WeightSource, weight: GpuWeight): Promise<boolean> {
  if (source.length % NF4_BLOCK !== 0) return false;
  let trust = trusted.get(gpu);
  if (trust === undefined) trusted.set(gpu, (trust = await agreesWithCpu(gpu)));
  return trust && quantize(gpu, source, weight);
}

/** A weight's words as they lie on the GPU. */
export async function readPacked(gpu: Gpu, { kind, rows, cols, buffer }: GpuWeight): Promise<PackedWeight> {
  const words = await gpu.readInts(buffer, memoryBytes(kind, rows, cols) / 4);
  return packedOf(kind, rows, cols, new Uint32Array(words.buffer));
}

async function quantize(gpu: Gpu, source: WeightSource, { rows, cols, buffer }: GpuWeight): Promise<boolean> {
  const blocks = source.length / NF4_BLOCK;
  const chunk = Math.min(blocks, CHUNK_BYTES / NF4_BLOCK / source.BYTES_PER_ELEMENT);
  const absmax = new Float32Array(blocks);
  const [stage, largest, reciprocals] = await guardMemory(gpu, 'weights to be quantised', () =>
    [chunk * NF4_BLOCK * source.BYTES_PER_ELEMENT, chunk * 4, chunk * 4].map((bytes) => gpu.createBuffer(bytes)),
  );
  try {
    const perWord = source instanceof Uint16Array ? 2 : 1;
    for (let first = 0; first < blocks; first += chunk) {
      const count = Math.min(chunk, blocks - first);
      gpu.writeBuffer(stage, source.subarray(first * NF4_BLOCK, (first + count) * NF4_BLOCK));
      blockMagnitudes(gpu, stage, perWord, count, largest);
      const bits = await gpu.readInts(largest, count);
      // The largest bits are those of the largest magnitude, and of NaN before all.
      if (bits.some((value) => value >= NOT_FINITE)) return false;
      const scales = new Float32Array(bits.buffer);
      if (scales.some((scale) => scale > 0 && scale < SMALLEST)) return false;
      absmax.set(scales, first);
      gpu.writeBuffer(reciprocals, scales.map(reciprocalOf));
      blockCodes(gpu, stage, perWord, count, reciprocals, buffer, (first * NF4_BLOCK) / 8);
    }
    // The codes are on the GPU already; what follows them is the CPU's.
    const packed = assembleNf4(rows, cols, { packed: new Uint8Array(0), ...quantizeScales(absmax), map: dynamicMap() });
    const { absmaxQ } = packed.sections;
    gpu.writeBuffer(buffer, packed.words.subarray(absmaxQ), absmaxQ * 4);
    return true;
  } finally {
    for (const spent of [stage, largest, reciprocals]) gpu.destroyBuffer(spent);
  }
}

/** Quantises small matrices whose scales differ widely both ways, in both forms of weights. */
async function agreesWithCpu(gpu: Gpu): Promise<boolean> {
  const [rows, cols] = [24, 256];
  const values = Float32Array.from({ length: rows * cols }, (_, i) => Math.sin(i * i) * 2 ** ((i >> 6) % 40 - 30));
  const halves = new Uint16Array(values.buffer).filter((_, i) => i % 2 === 1);
  const weight = emptyWeight(gpu, 'nf4', rows, cols);
  try {
    for (const source of [values, halves]) {
      if (!(await quantize(gpu, source, weight))) return false;
      const { words } = await readPacked(gpu, weight);
      const expected = packNf4(source, rows, cols).words;
      if (!words.every((word, i) => word === expected[i])) return false;
    }
    return true;
  } finally {
    gpu.destroyBuffer(weight.buffer);
  }
}
