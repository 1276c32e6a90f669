/** Pipelines and bind groups of one device, each made once. */
import { invariant } from '../protocol/errors.ts';
import { moduleText, type BindingTypes, type Kernel } from './kernel.ts';
import type { ParamTypes } from './kernel-params.ts';

const MAX_CACHED_BIND_GROUPS = 8192;

/** A kernel with its constants, compiled. */
export interface Pipeline {
  readonly id: number;
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
}

/** Buffers of a dispatch by name. */
export type NamedBuffers = Readonly<Record<string, GPUBuffer | undefined>>;

export class Pipelines {
  /** By declaration, then by constants. */
  private readonly compiled = new Map<object, Map<string, Pipeline>>();
  private readonly bindGroups = new Map<string, GPUBindGroup>();
  private readonly bufferIds = new WeakMap<GPUBuffer, number>();
  /** Bound where an optional binding is left out: the first for reading, the others for writing. */
  private readonly placeholders: GPUBuffer[] = [];
  private nextPipelineId = 0;
  private nextBufferId = 0;

  constructor(
    private readonly device: GPUDevice,
    /** Group 1 of every kernel. */
    private readonly uniformLayout: GPUBindGroupLayout,
  ) {}

  pipeline<C>(kernel: Kernel<BindingTypes, ParamTypes, C>, constants: C): Pipeline {
    let variants = this.compiled.get(kernel);
    if (!variants) this.compiled.set(kernel, (variants = new Map<string, Pipeline>()));
    const key = JSON.stringify(constants);
    let variant = variants.get(key);
    if (!variant) variants.set(key, (variant = this.compile(kernel, constants)));
    return variant;
  }

  /** @throws Error "Invariant violation" naming a binding that is missing or unknown */
  bindGroup<C>(kernel: Kernel<BindingTypes, ParamTypes, C>, { id, layout }: Pipeline, buffers: NamedBuffers): GPUBindGroup {
    for (const name in buffers) if (!Object.hasOwn(kernel.bindings, name)) invariant(false, `${kernel.name}: unknown binding ${name}`);
    const ordered = kernel.slots.map(({ name, access, optional }, index) => {
      if (!buffers[name] && !optional) invariant(false, `${kernel.name}: nothing is bound to ${name}`);
      // What one dispatch writes may be bound only once.
      return buffers[name] ?? this.placeholder(access === 'read' ? 0 : 1 + index);
    });
    let key = `${id}`;
    for (const buffer of ordered) key += `,${this.bufferId(buffer)}`;
    let group = this.bindGroups.get(key);
    if (!group) {
      if (this.bindGroups.size >= MAX_CACHED_BIND_GROUPS) this.bindGroups.clear();
      group = this.device.createBindGroup({ layout, entries: ordered.map((buffer, binding) => ({ binding, resource: { buffer } })) });
      this.bindGroups.set(key, group);
    }
    return group;
  }

  private placeholder(index: number): GPUBuffer {
    return (this.placeholders[index] ??= this.device.createBuffer({ size: 16, usage: GPUBufferUsage.STORAGE }));
  }

  private bufferId(buffer: GPUBuffer): number {
    let id = this.bufferIds.get(buffer);
    if (id === undefined) this.bufferIds.set(buffer, (id = this.nextBufferId++));
    return id;
  }

  private compile<C>(kernel: Kernel<BindingTypes, ParamTypes, C>, constants: C): Pipeline {
    const layout = this.device.createBindGroupLayout({
      entries: kernel.slots.map(({ access }, binding) => ({
        binding,
        visibility: GPUShaderStage.COMPUTE,
        buffer: { type: access === 'read' ? ('read-only-storage' as const) : ('storage' as const) },
      })),
    });
    const label = `${kernel.name} ${JSON.stringify(constants)}`;
    const pipeline = this.device.createComputePipeline({
      label,
      layout: this.device.createPipelineLayout({ bindGroupLayouts: [layout, this.uniformLayout] }),
      compute: { module: this.device.createShaderModule({ label, code: moduleText(kernel, constants) }), entryPoint: kernel.entryPoint ?? 'main' },
    });
    return { id: this.nextPipelineId++, pipeline, layout };
  }
}
