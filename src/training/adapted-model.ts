/** A model with a LoRA adapter as the training loop sees it. */
import { groupBySharedInput, type AdaptedLinear } from '../checkpoint/adapted-modules.ts';
import type { Gpu } from '../gpu/gpu.ts';
import { generate } from '../generation/generate.ts';
import { promptsThatFit, roomFor } from '../generation/plan.ts';
import { adamWStep } from '../kernels/adamw.ts';
import { weightedSum, type LogProbOptions } from '../kernels/log-probs.ts';
import { AdapterArena } from '../model/adapter-arena.ts';
import { AdapterWeights, type AdapterOptions } from '../model/adapter-weights.ts';
import { passContext } from '../model/parts/pass-context.ts';
import type { BackwardPlan, VisionLanguageModel } from '../model/vision-language-model.ts';
import type { PackedBatch } from '../processing/types.ts';
import { LorikeetError, invariant } from '../protocol/errors.ts';
import type { AdapterTensor } from '../checkpoint/adapter-tensor.ts';
import type { GeneratedAnswer, GenerationOptions } from '../generation/options.ts';
import type { AdamWSettings } from '../kernels/adamw.ts';
import type { Objective, ScoringOptions, TokenScores } from '../objectives/token-scores.ts';
import type { OptimizerState, PendingScalar, TrainableModel } from './trainable-model.ts';

/** Passes at least this long tell of their layers. */
const SLOW_PASS_MS = 2000;
/** A rehearsal that took longer is not repeated: compiling is nothing beside it. */
const LONG_REHEARSAL_SECONDS = 20;
/** Leaves weights and moments as they are where moments and gradient are zero. */
const STILL: AdamWSettings = { learningRate: 0, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, maxGradNorm: 0 };

export class AdaptedModel implements TrainableModel {
  readonly adapter: AdapterArena;
  private readonly plan: BackwardPlan;
  private readonly groups: AdaptedLinear[][];
  private reference: AdapterWeights | null = null;
  onLayers: ((done: number, total: number) => void) | null = null;
  private optimizerSteps = 0;
  /** What the last pass took, in milliseconds; nobody knows before the first. */
  private passTime = Infinity;
  /** Kinds of pass whose kernels are there. */
  private readonly prepared = new Set<string>();

  /** @param modules the linear layers to adapt, in model order */
  constructor(
    readonly model: VisionLanguageModel,
    modules: readonly AdaptedLinear[],
    options: AdapterOptions & { gradientCheckpointing: boolean },
  ) {
    this.groups = groupBySharedInput(modules);
    this.adapter = new AdapterArena(model.gpu, this.groups, options);
    this.adapter.initialize();
    const layers = modules.map(({ layer }) => layer).filter((layer) => layer !== null);
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
    await this.prepare(batch, dropoutStep, {});
    const start = performance.now();
    const context = { ...passContext(gpu, this.adapter, dropoutStep), milestone: this.milestones(batch) };
    const { result: value, checked } = this.guarded(batch, () => {
      const loss = this.model.forwardBackward(context, batch, weights, this.plan);
      const read = awaitedLater(gpu.readFloats(loss));
      loss.dispose();
      return read;
    });
    return pending(async () => {
      await checked;
      const [loss] = await value;
      this.passTime = performance.now() - start;
      return loss;
    });
  }

  async forwardBackwardOf(batch: PackedBatch, objective: Objective, options: ScoringOptions & { dropoutStep: number | null }): Promise<void> {
    const { gpu } = this;
    await this.prepare(batch, options.dropoutStep, { temperature: options.temperature, statistics: true });
    const start = performance.now();
    const context = { ...passContext(gpu, this.adapter, options.dropoutStep), milestone: this.milestones(batch) };
    const forward = this.guarded(batch, () => {
      const pass = this.model.differentiable(context, batch, this.plan, { temperature: options.temperature, statistics: true });
      return { pass, values: awaitedLater(gpu.readFloats(pass.scores!)) };
    });
    const { pass, values } = forward.result;
    let slopes: Float32Array;
    try {
      await forward.checked;
      slopes = objective(this.scoresOf(await values));
      invariant(slopes.length === batch.targetRows.length, 'one slope per target');
    } catch (error) {
      pass.abandon();
      throw error;
    }
    const backward = this.guarded(batch, () => {
      // The backward pass differentiates −log p.
      const weights = gpu.upload(slopes.map((slope) => -slope), [slopes.length]);
      pass.backward(weights);
      weights.dispose();
    });
    await backward.checked;
    this.passTime = performance.now() - start;
  }

  async rehearse(batch: PackedBatch, scored: boolean): Promise<number> {
    const { gpu } = this;
    const { buffers } = this.adapter;
    const step = async () => {
      const start = performance.now();
      if (scored) await this.forwardBackwardOf(batch, ({ logProbs }) => new Float32Array(logProbs.length), { temperature: 1, dropoutStep: null });
      else await (await this.forwardBackward(batch, new Float32Array(batch.targetIds.length), 0)).read();
      // Zero times an overflow is not zero.
      gpu.clear(buffers.gradients);
      adamWStep(gpu, buffers, { ...STILL, step: 1 }).dispose();
      await gpu.finish();
      return (performance.now() - start) / 1000;
    };
    const first = await step();
    return first > LONG_REHEARSAL_SECONDS ? first : step();
  }

  async contained<T>(batch: PackedBatch, work: () => Promise<T>): Promise<T> {
    const { device } = this.gpu;
    device.pushErrorScope('out-of-memory');
    device.pushErrorScope('validation');
    const [outcome] = await Promise.allSettled([work()]);
    this.gpu.submit();
    await throwFaults(batch, device.popErrorScope(), device.popErrorScope());
    if (outcome.status === 'rejected') throw outcome.reason;
    return outcome.value;
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

  async scoreTokens(batch: PackedBatch, options: ScoringOptions & { model: 'policy' | 'reference' }): Promise<TokenScores> {
    const context = passContext(this.gpu, options.model === 'policy' ? this.adapter : this.reference, null);
    const { result, checked } = this.guarded(batch, () => {
      const scores = this.model.tokenScores(context, batch, options.temperature);
      const values = awaitedLater(this.gpu.readFloats(scores));
      scores.dispose();
      return values;
    });
    await checked;
    return this.scoresOf(await result);
  }

  async setReference(tensors: readonly AdapterTensor[] | null): Promise<void> {
    if (!tensors) {
      this.reference?.dispose();
      this.reference = null;
      return;
    }
    const reference = this.reference ?? new AdapterWeights(this.gpu, this.groups, this.adapter.options);
    try {
      reference.writeWeights(tensors);
    } catch (error) {
      if (reference !== this.reference) reference.dispose();
      throw error;
    }
    this.reference = reference;
  }

  generate(prompts: PackedBatch, ropeDeltas: readonly number[], options: GenerationOptions): Promise<GeneratedAnswer[]> {
    return generate(this.model, passContext(this.gpu, options.adapter === 'policy' ? this.adapter : null, null), prompts, ropeDeltas, options);
  }

  generateGreedy(prompts: PackedBatch, ropeDeltas: readonly number[], maxNewTokens: number, stopIds: readonly number[], onToken?: (done: number, total: number) => void): Promise<GeneratedAnswer[]> {
    return this.generate(prompts, ropeDeltas, {
      maxNewTokens,
      stopIds,
      numGenerations: 1,
      sampling: null,
      adapter: 'policy',
      onTokens: (_, done, total) => {
        onToken?.(done, total);
        return true;
      },
    });
  }

  promptsAtOnce(promptTokens: number, maxNewTokens: number): number {
    return promptsThatFit(roomFor(this.model.architecture, maxNewTokens, this.gpu.device.limits.maxStorageBufferBindingSize), promptTokens, maxNewTokens);
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

  releaseFree(): void {
    this.gpu.releaseFree();
  }

  trim(): Promise<void> {
    return this.gpu.trim();
  }

  peakBytes(): number {
    return this.gpu.peakBytes();
  }

  dispose(): void {
    this.adapter.dispose();
    this.reference?.dispose();
  }

  /** Before the first pass of a kind its kernels are compiled side by side; one after the other, as they are met, takes several times as long. */
  private async prepare(batch: PackedBatch, dropoutStep: number | null, options: LogProbOptions): Promise<void> {
    const kind = `${options.statistics ?? false} ${dropoutStep === null} ${batch.grids.length > 0}`;
    if (this.prepared.has(kind)) return;
    this.prepared.add(kind);
    const { gpu } = this;
    const { result: compiled, checked } = this.guarded(batch, () =>
      gpu.precompile(() => {
        const pass = this.model.differentiable(passContext(gpu, this.adapter, dropoutStep), batch, this.plan, options);
        const weights = gpu.empty([batch.targetRows.length]);
        weightedSum(gpu, pass.nll, weights).dispose();
        pass.backward(weights);
        weights.dispose();
      }),
    );
    await Promise.all([checked, compiled]);
  }

  /** Reports layers as the GPU finishes them; nothing where passes are quick, so that they are not cut into small submits. */
  private milestones({ grids }: PackedBatch): (() => void) | undefined {
    const { onLayers, gpu, plan, model } = this;
    if (!onLayers || this.passTime < SLOW_PASS_MS) return undefined;
    const { numHiddenLayers, visionDepth } = model.config;
    const vision = grids.length > 0 ? visionDepth * (plan.visionAdapted ? 2 : 1) : 0;
    const total = vision + 2 * numHiddenLayers - (plan.visionAdapted ? 0 : plan.firstAdaptedLayer);
    let recorded = 0;
    return () => {
      const done = ++recorded;
      void gpu.finish().then(() => onLayers(done, total), () => undefined);
    };
  }

  /** Records GPU work whose faults `checked` throws; an exhausted memory with advice. */
  private guarded<T>(batch: PackedBatch, record: () => T): { result: T; checked: Promise<void> } {
    const { device } = this.gpu;
    device.pushErrorScope('out-of-memory');
    device.pushErrorScope('validation');
    let result: T;
    let checked: Promise<void>;
    try {
      result = record();
      // What was recorded with buffers that there is no room for is refused here, and not when somebody else submits it.
      this.gpu.submit();
    } finally {
      const [invalid, exhausted] = [device.popErrorScope(), device.popErrorScope()];
      checked = throwFaults(batch, invalid, exhausted);
      checked.catch(() => undefined);
    }
    return { result, checked };
  }

  private scoresOf(values: Float32Array): TokenScores {
    const targets = values.length / 4;
    const column = (read: (at: number) => number) => Float32Array.from({ length: targets }, (_, target) => read(4 * target));
    return {
      logProbs: column((at) => -values[at]),
      entropy: column((at) => values[at + 1]),
      top1: column((at) => values[at + 2]),
      meanLogit: column((at) => values[at + 3] / this.model.config.vocabSize),
    };
  }
}

/** @throws LorikeetError "out-of-memory", Error "Invariant violation" when the GPU refused a command */
async function throwFaults(batch: PackedBatch, invalid: Promise<GPUError | null>, exhausted: Promise<GPUError | null>): Promise<void> {
  // Both are waited for: where the device is lost, both are rejected.
  const [memory, fault] = await Promise.all([exhausted, invalid]);
  if (memory) {
    throw new LorikeetError('out-of-memory', `The GPU ran out of memory in a step of ${batch.tokenCount} tokens: ${memory.message}`, 'Lower the batch size, the maximum length, the image size or the rank, and keep gradient checkpointing on.');
  }
  invariant(!fault, `the GPU refused a command: ${fault?.message}`);
}

/** Wraps a read that is under way; a failure is kept for whoever reads. */
function pending(read: () => Promise<number>): PendingScalar {
  const value = awaitedLater(read());
  return { read: () => value };
}

/** A promise that nobody may come to await, where something else fails before: its own failure is then no news. */
function awaitedLater<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}
