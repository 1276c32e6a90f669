/** How kernels and submits are shaped on a GPU, and on a CPU that plays one. Products choose in their own table: kernels/product-variants.ts. */

/** A CPU rasteriser runs four threads as one vector: it wants few threads with much work each. */
export type DeviceProfile = 'gpu' | 'rasterizer';

export interface DeviceShape {
  /** Dispatches per queue submit. */
  submitEvery: number;
  /** Threads that share a row of logits. */
  vocabularyThreads: number;
  /** Threads that share a row of hidden values below 1,024, and from there on. */
  rowThreads: { short: number; long: number };
  /** Threads that share one head's values in the gated norm. */
  headThreads: number;
  /** A workgroup of the rotation, and its threads that share a head. */
  rotary: { THREADS: number; LANES: number };
  /** Columns of a recurrent state in a workgroup that decodes, and threads that share a column. */
  state: { COLUMNS: number; LANES: number };
  /** Rows and width of the product whose speed is measured to foretell a run's. */
  probe: { rows: number; size: number };
}

export const DEVICE_SHAPES: Readonly<Record<DeviceProfile, DeviceShape>> = {
  gpu: {
    submitEvery: 48,
    vocabularyThreads: 256,
    rowThreads: { short: 64, long: 128 },
    headThreads: 32,
    rotary: { THREADS: 64, LANES: 16 },
    state: { COLUMNS: 32, LANES: 4 },
    probe: { rows: 512, size: 2048 },
  },
  rasterizer: {
    submitEvery: 96,
    vocabularyThreads: 8,
    rowThreads: { short: 4, long: 4 },
    headThreads: 4,
    rotary: { THREADS: 16, LANES: 1 },
    state: { COLUMNS: 8, LANES: 1 },
    probe: { rows: 256, size: 256 },
  },
};
