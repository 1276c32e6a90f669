/** Qwen3-VL with a LoRA adapter as the training loop sees it. */
import type { LinearModule } from '../checkpoint/tensor-names.ts';
import type { Gpu } from '../gpu/gpu.ts';
import { generateGreedy } from '../generation/greedy.ts';
import { cacheCapacity, sequencesThatFit } from '../generation/kv-cache.ts';
import { adamWStep } from '../kernels/adamw.ts';
import { AdapterArena, type AdapterOptions } from '../model/adapter-arena.ts';
import { passContext, type BackwardPlan, type Qwen3VL } from '../model/qwen3-vl.ts';
import type { PackedBatch } from '../processing/types.ts';
import { LorikeetError } from '../protocol/errors.ts';
import type { AdamWSettings, AdapterTensor, GeneratedAnswer, OptimizerState, PendingScalar, TrainableModel } from './model-contract.ts';

/** Modules that read the same input, by the end of their paths; their A factors lie side by side. */
const SHARED_INPUT = /^(.*\.self_attn)\.[qkv]_proj$|^(.*\.mlp)\.(?:gate|up)_proj$/;

export class TrainableQwen3VL implements TrainableModel {
  readonly adapter: AdapterArena;
  private readonly plan: BackwardPlan;
  private optimizerSteps = 0;

  /** @param modules the linear layers to adapt, in model order */
  constructor(
    readonly model: Qwen3VL,
    modules: readonly LinearModule[],
    options: AdapterOptions & { gradientCheckpointing: boolean },
  ) {
    this.adapter = new AdapterArena(model.gpu, groupBySharedInput(modules), options);
    this.adapter.initialize();
    const layers = modules.map(({ path }) => /language_model\.layers\.(\d+)\./.exec(path)?.[1]).filter((layer) => layer !== undefined).map(Number);
    this.plan = {
      gradientCheckpointing: options.gradientCheckpointing,
      firstAdaptedLayer: Math.min(...layers, model.config.numHiddenLayers),
      visionAdapted: modules.some(({ part }) => part === 'visual'),
    };
  }

  get trainableParameters(): number {
    return this.adapter.trainableParameters;
  }

  private get gpu(): Gpu {
    return this.model.gpu;
  }

  async forwardBackward(batch: PackedBatch, weights: Float32Array, dropoutStep: number): Promise<PendingScalar> {
    const { gpu } = this;
    const { device } = gpu;
    device.pushErrorScope('out-of-memory');
    device.pushErrorScope('validation');
    const loss = this.model.forwardBackward(passContext(gpu, this.adapter, dropoutStep), batch, weights, this.plan);
    const value = gpu.readFloats(loss);
    loss.dispose();
    const invalid = device.popErrorScope();
    const exhausted = device.popErrorScope();
    return pending(async () => {
      const memory = await exhausted;
      if (memory) {
        throw new LorikeetError('out-of-memory', `The GPU ran out of memory in a step of ${batch.tokenCount} tokens: ${memory.message}`, 'Lower the batch size, the maximum length, the image size or the rank, and keep gradient checkpointing on.');
      }
      const fault = await invalid;
      if (fault) throw new Error(`Invariant violation: the GPU refused a command: ${fault.message}`);
      return (await value)[0];
    });
  }

  async optimizerStep(settings: AdamWSettings): Promise<PendingScalar> {
    this.optimizerSteps++;
    const norm = adamWStep(this.gpu, this.adapter.buffers, { ...settings, step: this.optimizerSteps });
    const value = this.gpu.readFloats(norm);
    norm.dispose();
    return pending(async () => (await value)[0]);
  }

  async tokenNll(batch: PackedBatch): Promise<Float32Array> {
    const nll = this.model.tokenNll(passContext(this.gpu, this.adapter, null), batch);
    const values = this.gpu.readFloats(nll);
    nll.dispose();
    return values;
  }

  generateGreedy(prompts: PackedBatch, ropeDeltas: readonly number[], maxNewTokens: number, stopIds: readonly number[], onToken?: (done: number, total: number) => void): Promise<GeneratedAnswer[]> {
    return generateGreedy(this.model, passContext(this.gpu, this.adapter, null), prompts, ropeDeltas, { maxNewTokens, stopIds, onToken });
  }

  promptsAtOnce(promptTokens: number, maxNewTokens: number): number {
    const { numHiddenLayers, numKeyValueHeads, headDim } = this.model.config;
    return sequencesThatFit(numHiddenLayers, numKeyValueHeads * headDim, cacheCapacity(promptTokens, maxNewTokens), this.gpu.device.limits.maxStorageBufferBindingSize);
  }

  readAdapter(): Promise<AdapterTensor[]> {
    return this.adapter.read('weights');
  }

  async writeAdapter(tensors: readonly AdapterTensor[]): Promise<void> {
    this.adapter.write('weights', tensors);
  }

  async readOptimizer(): Promise<OptimizerState> {
    return { step: this.optimizerSteps, m: await this.adapter.read('m'), v: await this.adapter.read('v') };
  }

  async writeOptimizer(state: OptimizerState): Promise<void> {
    this.adapter.write('m', state.m);
    this.adapter.write('v', state.v);
    this.optimizerSteps = state.step;
  }

  gpuBytes(): number {
    return this.gpu.bytes();
  }

  dispose(): void {
    this.adapter.dispose();
  }
}

/** Wraps a read that is under way; a failure is kept for whoever reads. */
function pending(read: () => Promise<number>): PendingScalar {
  const value = read();
  value.catch(() => undefined);
  return { read: () => value };
}

function groupBySharedInput(modules: readonly LinearModule[]): LinearModule[][] {
  const groups: LinearModule[][] = [];
  let last: string | null = null;
  for (const module of modules) {
    const match = SHARED_INPUT.exec(module.path);
    const key = match ? (match[1] ?? match[2]) : null;
    if (key !== null && key === last) groups[groups.length - 1].push(module);
    else groups.push([module]);
    last = key;
  }
  return groups;
}
