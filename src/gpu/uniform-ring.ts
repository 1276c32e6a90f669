/** Parameters of the dispatches that are recorded but not yet sent: one slot of a uniform buffer each. */

const SLOT_BYTES = 256;
const SLOTS = 1024;

export class UniformRing {
  readonly layout: GPUBindGroupLayout;
  /** Needs a slot's offset as its dynamic offset. */
  readonly group: GPUBindGroup;
  private readonly buffer: GPUBuffer;
  private readonly staging = new Uint8Array(SLOT_BYTES * SLOTS);
  private used = 0;

  constructor(private readonly device: GPUDevice) {
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

  /** The next slot's offset in bytes, and where its parameters go. */
  take(): { offset: number; bytes: Uint8Array } {
    const offset = this.used++ * SLOT_BYTES;
    return { offset, bytes: this.staging.subarray(offset, offset + SLOT_BYTES) };
  }

  /** To be called right before a submit: writeBuffer would overtake unsubmitted work, never submitted work. */
  flush(): void {
    if (this.used > 0) this.device.queue.writeBuffer(this.buffer, 0, this.staging, 0, this.used * SLOT_BYTES);
    this.used = 0;
  }
}
