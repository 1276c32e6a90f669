/** Parameters of the dispatches that are recorded but not yet sent: one slot of a uniform buffer each. */

import type { ParamWords } from './kernel-params.ts';

const SLOT_BYTES = 256;
const SLOTS = 1024;
export const SLOT_WORDS = SLOT_BYTES / 4;

export class UniformRing {
  readonly layout: GPUBindGroupLayout;
  /** Needs a slot's offset as its dynamic offset. */
  readonly group: GPUBindGroup;
  private readonly buffer: GPUBuffer;
  /** Where parameters are written before they are sent. */
  readonly words: ParamWords;
  private readonly staging = new ArrayBuffer(SLOT_BYTES * SLOTS);
  private used = 0;

  constructor(private readonly device: GPUDevice) {
    this.words = { u32: new Uint32Array(this.staging), f32: new Float32Array(this.staging) };
    this.layout = device.createBindGroupLayout({
      entries: [{ binding: 0, visibility: GPUShaderStage.COMPUTE, buffer: { type: 'uniform', hasDynamicOffset: true } }],
    });
    this.buffer = device.createBuffer({ size: this.staging.byteLength, usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST });
    this.group = device.createBindGroup({ layout: this.layout, entries: [{ binding: 0, resource: { buffer: this.buffer, size: SLOT_BYTES } }] });
  }

  /** When full, recorded work must be submitted before the next slot is taken. */
  get full(): boolean {
    return this.used === SLOTS;
  }

  /** The next slot's offset in bytes. */
  take(): number {
    return this.used++ * SLOT_BYTES;
  }

  /** To be called right before a submit: writeBuffer would overtake unsubmitted work, never submitted work. */
  flush(): void {
    if (this.used > 0) this.device.queue.writeBuffer(this.buffer, 0, this.staging, 0, this.used * SLOT_BYTES);
    this.used = 0;
  }
}
