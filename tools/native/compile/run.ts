/**
 * Creates and dispatches once every pipeline of a training step and of generation, at the true widths of published models and
 * with few rows. Nothing is read back: what a driver's compiler makes of the kernels can so be seen on a device that computes nothing.
 */
import * as tf from '@tensorflow/tfjs';
import { openGpu } from '../../../src/gpu/device.ts';
import type { Gpu } from '../../../src/gpu/gpu.ts';
import { weightSections, type GpuWeight } from '../../../src/kernels/matmul.ts';
import { memoryBytes, nf4Sections, type PackedWeight, type WeightKind } from '../../../src/quantization/packed-weight.ts';
import { ATTENTION } from './attention.ts';
import { DELTA_RULE } from './delta-rule.ts';
import { ELEMENTWISE } from './elementwise.ts';
import { GENERATION } from './generation.ts';
import { HEAD } from './head.ts';
import { PRODUCTS } from './products.ts';
import { QUANTISING } from './quantising.ts';

/** Makes what kernels bind; all of it is zero. */
export interface CompileContext {
  gpu: Gpu;
  floats: (...shape: number[]) => tf.Tensor;
  ints: (values: number[], shape: number[]) => tf.Tensor;
  /** Of so many floats. */
  buffer: (length: number) => GPUBuffer;
  weight: (kind: WeightKind, rows: number, cols: number) => GpuWeight;
}

export interface CompileEntry {
  name: string;
  /** Dispatches the kernels once. */
  run: (context: CompileContext) => void;
}

const ENTRIES: readonly CompileEntry[] = [...PRODUCTS, ...ATTENTION, ...DELTA_RULE, ...HEAD, ...ELEMENTWISE, ...GENERATION, ...QUANTISING];

function contextOf(gpu: Gpu): CompileContext {
  return {
    gpu,
    floats: (...shape) => gpu.empty(shape),
    ints: (values, shape) => gpu.upload(Int32Array.from(values), shape),
    buffer: (length) => gpu.createBuffer(4 * length),
    weight: (kind, rows, cols) => {
      const packed = (kind === 'nf4' ? { kind, sections: nf4Sections(rows, cols) } : { kind, sections: { codes: 0, scale: Math.ceil((rows * cols) / 4) } }) as PackedWeight;
      return { kind, rows, cols, buffer: gpu.createBuffer(memoryBytes(kind, rows, cols)), sections: weightSections(packed) };
    },
  };
}

/**
 * @param only runs entries whose name contains it; '' = all
 * @returns the device's name and how many entries and dispatches there were
 * @throws Error when the GPU refuses a kernel or a dispatch, with its name
 */
export async function compileAll(only: string, report: (name: string) => void): Promise<{ device: string; entries: number; dispatches: number }> {
  // One submit for all, after the last pipeline: a device that computes nothing is lost with its first.
  const { gpu, description } = await openGpu({ profile: 'gpu', submitEvery: Infinity });
  const context = contextOf(gpu);
  const chosen = ENTRIES.filter(({ name }) => name.includes(only));
  for (const { name, run } of chosen) {
    gpu.device.pushErrorScope('validation');
    tf.tidy(() => run(context));
    const error = await gpu.device.popErrorScope();
    if (error) throw new Error(`${name}: ${error.message}`);
    report(name);
  }
  gpu.submit();
  return { device: description, entries: chosen.length, dispatches: gpu.dispatches };
}
