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

interface Compiled {
  readonly constants: Readonly<Record<string, unknown>>;
  /** Null while it is being compiled in the background. */
  pipeline: Pipeline | null;
}

export class Pipelines {
  /** By declaration; those of one differ in their constants. */
  private readonly compiled = new Map<object, Compiled[]>();
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

  /** Compiles at once what is not there yet. */
  pipeline<C>(kernel: Kernel<BindingTypes, ParamTypes, C>, constants: C): Pipeline {
    const entry = this.entryOf(kernel, constants);
    return (entry.pipeline ??= this.compile(kernel, constants));
  }

  /**
   * Compiles in the background, beside others.
   * @returns when it is there; null when nothing is to be done. What cannot be compiled is left for \`pipeline\`, whose error names the dispatch.
   */
  prepare<C>(kernel: Kernel<BindingTypes, ParamTypes, C>, constants: C): Promise<void> | null {
    const before = this.compiled.get(kernel)?.length ?? 0;
    const entry = this.entryOf(kernel, constants);
    if (this.compiled.get(kernel)!.length === before) return null;
    const { layout, descriptor } = this.describe(kernel, constants);
    return this.device.createComputePipelineAsync(descriptor).then(
      (pipeline) => void (entry.pipeline ??= { id: this.nextPipelineId++, pipeline, layout }),
      () => undefined,
    );
  }

  /**
   * @param buffers one for each of the kernel's slots
   * @throws Error "Invariant violation" naming a binding that is missing
   */
  bindGroup<C>(kernel: Kernel<BindingTypes, ParamTypes, C>, { id, layout }: Pipeline, buffers: (GPUBuffer | undefined)[]): GPUBindGroup {
    let key = String(id);
    for (let i = 0; i < buffers.length; i++) {
      const { name, access, optional } = kernel.slots[i];
      if (!buffers[i] && !optional) invariant(false, `${kernel.name}: nothing is bound to ${name}`);
      // What one dispatch writes may be bound only once.
      const buffer = (buffers[i] ??= this.placeholder(access === 'read' ? 0 : 1 + i));
      key += `,${this.bufferId(buffer)}`;
    }
    let group = this.bindGroups.get(key);
    if (!group) {
      if (this.bindGroups.size >= MAX_CACHED_BIND_GROUPS) this.bindGroups.clear();
      group = this.device.createBindGroup({ layout, entries: buffers.map((buffer, binding) => ({ binding, resource: { buffer: buffer! } })) });
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

  private entryOf<C>(kernel: Kernel<BindingTypes, ParamTypes, C>, constants: C): Compiled {
    let variants = this.compiled.get(kernel);
    if (!variants) this.compiled.set(kernel, (variants = []));
    const given = constants as Readonly<Record<string, unknown>>;
    for (const variant of variants) if (sameConstants(variant.constants, given)) return variant;
    const entry = { constants: given, pipeline: null };
    variants.push(entry);
    return entry;
  }

  private compile<C>(kernel: Kernel<BindingTypes, ParamTypes, C>, constants: C): Pipeline {
    const { layout, descriptor } = this.describe(kernel, constants);
    return { id: this.nextPipelineId++, pipeline: this.device.createComputePipeline(descriptor), layout };
  }

  private describe<C>(kernel: Kernel<BindingTypes, ParamTypes, C>, constants: C): { layout: GPUBindGroupLayout; descriptor: GPUComputePipelineDescriptor } {
    const layout = this.device.createBindGroupLayout({
      entries: kernel.slots.map(({ access }, binding) => ({
        binding,
        visibility: GPUShaderStage.COMPUTE,
        buffer: { type: access === 'read' ? ('read-only-storage' as const) : ('storage' as const) },
      })),
    });
    const label = `${kernel.name} ${JSON.stringify(constants)}`;
    const module = this.device.createShaderModule({ label, code: moduleText(kernel, constants) });
    return {
      layout,
      descriptor: { label, layout: this.device.createPipelineLayout({ bindGroupLayouts: [layout, this.uniformLayout] }), compute: { module, entryPoint: kernel.entryPoint ?? 'main' } },
    };
  }
}

/** Kernels of one declaration have constants of the same names; objects among them are mostly the same objects. */
function sameConstants(a: Readonly<Record<string, unknown>>, b: Readonly<Record<string, unknown>>): boolean {
  for (const name in b) {
    const [left, right] = [a[name], b[name]];
    if (left !== right && !(typeof left === 'object' && typeof right === 'object' && JSON.stringify(left) === JSON.stringify(right))) return false;
  }
  return true;
}
