/** A softmax regression with a LoRA branch and real gradients, in place of the GPU model: small, exact to the bit, and its loss falls. */
import { plainChoice, plainGreedy } from '../../reference/sampling.ts';
import { countLabels, IGNORE_INDEX } from '../../../src/processing/types.ts';
import type { EncodedSample, PackedBatch } from '../../../src/processing/types.ts';
import type { AdapterTensor } from '../../../src/checkpoint/adapter-tensor.ts';
import type { GeneratedAnswer, GenerationOptions } from '../../../src/generation/options.ts';
import type { AdamWSettings } from '../../../src/kernels/adamw.ts';
import type { Objective, ScoringOptions, TokenScores } from '../../../src/objectives/token-scores.ts';
import type { OptimizerState, PendingScalar, TrainableModel } from '../../../src/training/trainable-model.ts';

export const VOCABULARY = 12;

/** The one layer that carries the adapter. Token ids count modulo its outputs. */
export interface ToyLayer {
  path: string;
  inFeatures: number;
  outFeatures: number;
  rank: number;
}

export const TOY_LAYER: ToyLayer = { path: 'model.toy', inFeatures: 6, outFeatures: VOCABULARY, rank: 3 };

/** A fixed pseudo-random number in (−1, 1). */
function noise(a: number, b: number): number {
  let x = Math.imul(a + 1, 0x9e3779b1) ^ Math.imul(b + 7, 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 15), 0x2c1b3c6d);
  x = Math.imul(x ^ (x >>> 12), 0x297a2d39);
  return ((x ^ (x >>> 15)) >>> 0) / 2 ** 31 - 1;
}

const pending = (value: number): PendingScalar => ({ read: () => Promise.resolve(value) });

export class ToyModel implements TrainableModel {
  readonly trainableParameters: number;
  /** Calls, in order, for tests that look at how the model is driven. */
  readonly calls: string[] = [];
  /** Called before each forwardBackward with its running number; may throw or change things. */
  beforeMicroBatch: ((count: number) => void | Promise<void>) | null = null;
  private readonly names: readonly string[];
  private readonly shapes: readonly [number, number][];
  private readonly gradient: Float32Array[];
  private weights: Float32Array[];
  /** Null: the base, whose logits are all zero. */
  private reference: Float32Array[] | null = null;
  private m: Float32Array[];
  private v: Float32Array[];
  private steps = 0;
  private microBatches = 0;

  constructor(
    private readonly dropout = 0.1,
    private readonly layer: ToyLayer = TOY_LAYER,
  ) {
    const { path, inFeatures, outFeatures, rank } = layer;
    this.names = [`${path}.lora_A.weight`, `${path}.lora_B.weight`];
    this.shapes = [[rank, inFeatures], [outFeatures, rank]];
    const zeros = () => this.shapes.map(([rows, cols]) => new Float32Array(rows * cols));
    this.trainableParameters = rank * (inFeatures + outFeatures);
    [this.gradient, this.weights, this.m, this.v] = [zeros(), zeros(), zeros(), zeros()];
    this.weights[0] = this.weights[0].map((_, i) => noise(i, 1000));
  }

  async forwardBackward(batch: PackedBatch, weights: Float32Array, dropoutStep: number): Promise<PendingScalar> {
    this.calls.push('forwardBackward');
    await this.beforeMicroBatch?.(this.microBatches++);
    return pending(Math.fround(this.accumulate(batch, weights, { temperature: 1, dropoutStep })));
  }

  async forwardBackwardOf(batch: PackedBatch, objective: Objective, options: ScoringOptions & { dropoutStep: number | null }): Promise<void> {
    this.calls.push('forwardBackwardOf');
    await this.beforeMicroBatch?.(this.microBatches++);
    const slopes = objective(this.scores(batch, this.weights, options.temperature, options.dropoutStep));
    this.accumulate(batch, slopes.map((slope) => -slope), options);
  }

  /** Adds the gradient of Σ weight · nll; returns the sum. */
  private accumulate(batch: PackedBatch, weights: Float32Array, { temperature, dropoutStep }: ScoringOptions & { dropoutStep: number | null }): number {
    const [gradA, gradB] = this.gradient;
    const b = this.weights[1];
    const { inFeatures: width, outFeatures: outputs, rank } = this.layer;
    let loss = 0;
    batch.targetRows.forEach((row, target) => {
      const { x, hidden, logits } = this.forward(batch.inputIds[row], batch.positionIds[row], dropoutStep);
      const probabilities = softmax(logits, temperature);
      const id = batch.targetIds[target] % outputs;
      loss += weights[target] * -Math.log(probabilities[id]);
      const dHidden = new Float32Array(rank);
      for (let k = 0; k < outputs; k++) {
        const dLogit = (weights[target] * (probabilities[k] - (k === id ? 1 : 0))) / temperature;
        for (let j = 0; j < rank; j++) {
          gradB[k * rank + j] += dLogit * hidden[j];
          dHidden[j] += dLogit * b[k * rank + j];
        }
      }
      for (let j = 0; j < rank; j++) for (let i = 0; i < width; i++) gradA[j * width + i] += dHidden[j] * x[i];
    });
    return loss;
  }

  /** Set to make the rehearsal of the largest samples fail. */
  rehearsalFault: Error | null = null;

  contained<T>(_: PackedBatch, work: () => Promise<T>): Promise<T> {
    return work();
  }

  /** Batches that were rehearsed. */
  readonly rehearsed: PackedBatch[] = [];

  async rehearse(batch: PackedBatch): Promise<number> {
    this.calls.push('rehearse');
    this.rehearsed.push(batch);
    if (this.rehearsalFault) throw this.rehearsalFault;
    return 2;
  }

  releaseFree(): void {
    this.calls.push('releaseFree');
  }

  async trim(): Promise<void> {
    this.calls.push('trim');
  }

  peakBytes(): number {
    return 3_100_000_000;
  }

  async optimizerStep(settings: AdamWSettings): Promise<PendingScalar> {
    this.calls.push('optimizerStep');
    const norm = Math.fround(Math.sqrt(this.gradient.reduce((sum, g) => g.reduce((s, x) => s + x * x, sum), 0)));
    const clip = settings.maxGradNorm > 0 ? Math.min(1, settings.maxGradNorm / (norm + 1e-6)) : 1;
    this.steps += 1;
    this.weights.forEach((weight, t) => {
      for (let i = 0; i < weight.length; i++) {
        const g = this.gradient[t][i] * clip;
        this.m[t][i] = settings.beta1 * this.m[t][i] + (1 - settings.beta1) * g;
        this.v[t][i] = settings.beta2 * this.v[t][i] + (1 - settings.beta2) * g * g;
        const first = this.m[t][i] / (1 - settings.beta1 ** this.steps);
        const second = this.v[t][i] / (1 - settings.beta2 ** this.steps);
        weight[i] = weight[i] * (1 - settings.learningRate * settings.weightDecay) - (settings.learningRate * first) / (Math.sqrt(second) + settings.epsilon);
      }
      this.gradient[t].fill(0);
    });
    return pending(norm);
  }

  async tokenNll(batch: PackedBatch): Promise<Float32Array> {
    this.calls.push('tokenNll');
    return this.scores(batch, this.weights, 1, null).logProbs.map((logProb) => -logProb);
  }

  async scoreTokens(batch: PackedBatch, { model, temperature }: ScoringOptions & { model: 'policy' | 'reference' }): Promise<TokenScores> {
    this.calls.push(`scoreTokens:${model}`);
    return this.scores(batch, model === 'policy' ? this.weights : this.reference, temperature, null);
  }

  async setReference(tensors: readonly AdapterTensor[] | null): Promise<void> {
    this.calls.push('setReference');
    this.reference = tensors && this.names.map((name) => find(tensors, name).slice());
  }

  private scores(batch: PackedBatch, weights: readonly Float32Array[] | null, temperature: number, dropoutStep: number | null): TokenScores {
    const rows = Array.from(batch.targetRows, (row, target) => {
      const { logits } = this.forward(batch.inputIds[row], batch.positionIds[row], dropoutStep, weights);
      const probabilities = softmax(logits, temperature);
      const own = probabilities[batch.targetIds[target] % this.layer.outFeatures];
      return {
        logProb: Math.log(own),
        entropy: probabilities.reduce((sum, p) => sum - (p > 0 ? p * Math.log(p) : 0), 0),
        top1: probabilities.every((p) => p <= own) ? 1 : 0,
        meanLogit: logits.reduce((sum, logit) => sum + logit, 0) / logits.length,
      };
    });
    const column = (key: keyof (typeof rows)[number]) => Float32Array.from(rows, (row) => row[key]);
    return { logProbs: column('logProb'), entropy: column('entropy'), top1: column('top1'), meanLogit: column('meanLogit') };
  }

  /** Prompts that fit at once; tests lower it. */
  atOnce = Infinity;

  promptsAtOnce(): number {
    return this.atOnce;
  }

  async generate(prompts: PackedBatch, _ropeDeltas: readonly number[], options: GenerationOptions): Promise<GeneratedAnswer[]> {
    this.calls.push('generate');
    const { numGenerations, maxNewTokens, onTokens } = options;
    const answers: GeneratedAnswer[] = [];
    for (let row = 0; row < prompts.tokenCount; row = prompts.bounds[2 * row + 1]) {
      for (let g = 0; g < numGenerations; g++) answers.push(this.answer(prompts, row, answers.length, options));
    }
    await onTokens?.(answers.map(({ ids }) => ids), maxNewTokens, maxNewTokens);
    return answers;
  }

  /** The answer of one sequence to the prompt that starts at `row`. */
  private answer(prompts: PackedBatch, row: number, index: number, { maxNewTokens, stopIds, sampling, adapter, repetitionPenalty = 1 }: GenerationOptions): GeneratedAnswer {
    const end = prompts.bounds[2 * row + 1];
    const seen = new Set(prompts.inputIds.subarray(row, end));
    const ids: number[] = [];
    let token = prompts.inputIds[end - 1];
    let position = prompts.positionIds[end - 1];
    for (let step = 0; step < maxNewTokens; step++) {
      const { logits } = this.forward(token, position++, null, adapter === 'policy' ? this.weights : null);
      token = sampling ? plainChoice(logits, sampling, sampling.firstSequence + index, step, seen) : plainGreedy(logits, repetitionPenalty, seen);
      if (stopIds.includes(token)) return { ids, stopId: token };
      ids.push(token);
      seen.add(token);
    }
    return { ids, stopId: null };
  }

  async generateGreedy(prompts: PackedBatch, ropeDeltas: readonly number[], maxNewTokens: number, stopIds: readonly number[]): Promise<GeneratedAnswer[]> {
    this.calls.push('generateGreedy');
    return this.generate(prompts, ropeDeltas, { maxNewTokens, stopIds, numGenerations: 1, sampling: null, adapter: 'policy' });
  }

  async readAdapter(): Promise<AdapterTensor[]> {
    this.calls.push('readAdapter');
    return this.tensors(this.weights);
  }

  async writeAdapter(adapter: readonly AdapterTensor[]): Promise<void> {
    this.weights = this.names.map((name) => find(adapter, name).slice());
  }

  async readOptimizer(): Promise<OptimizerState> {
    return { step: this.steps, m: this.tensors(this.m), v: this.tensors(this.v) };
  }

  async writeOptimizer(state: OptimizerState): Promise<void> {
    this.steps = state.step;
    this.m = this.names.map((name) => find(state.m, name).slice());
    this.v = this.names.map((name) => find(state.v, name).slice());
  }

  gpuBytes(): number {
    return 4 * this.trainableParameters * 4;
  }

  private tensors(data: readonly Float32Array[]): AdapterTensor[] {
    return data.map((values, i) => ({ name: this.names[i], shape: [...this.shapes[i]] as [number, number], data: values.slice() }));
  }

  private forward(token: number, position: number, dropoutStep: number | null, weights: readonly Float32Array[] | null = this.weights) {
    const { inFeatures: width, outFeatures: outputs, rank } = this.layer;
    const x = Float32Array.from({ length: width }, (_, i) => {
      const kept = dropoutStep === null || noise(dropoutStep, i + width * position) > 2 * this.dropout - 1;
      return kept ? noise(token, i) / (dropoutStep === null ? 1 : 1 - this.dropout) : 0;
    });
    const hidden = new Float32Array(rank);
    if (!weights) return { x, hidden, logits: new Float32Array(outputs) };
    const [a, b] = weights;
    for (let j = 0; j < rank; j++) for (let i = 0; i < width; i++) hidden[j] += a[j * width + i] * x[i];
    const logits = Float32Array.from({ length: outputs }, (_, k) => {
      let logit = 0;
      for (let j = 0; j < rank; j++) logit += b[k * rank + j] * hidden[j];
      return logit;
    });
    return { x, hidden, logits };
  }
}

function softmax(logits: Float32Array, temperature: number): Float32Array {
  const exps = logits.map((logit) => Math.exp(logit / temperature));
  const sum = exps.reduce((s, e) => s + e, 0);
  return exps.map((e) => e / sum);
}

function find(list: readonly AdapterTensor[], name: string): Float32Array {
  const tensor = list.find((entry) => entry.name === name);
  if (!tensor) throw new Error(`toy model: no tensor ${name}`);
  return tensor.data;
}

/** Samples of different lengths with a rule that can be learnt: the next token is the present one plus 1. */
export function toySamples(count: number): EncodedSample[] {
  return Array.from({ length: count }, (_, n) => {
    const length = 4 + (n % 5);
    const inputIds = Int32Array.from({ length }, (_unused, t) => (n * 5 + t) % VOCABULARY);
    const labels = Int32Array.from(inputIds, (id, t) => (t < 2 ? IGNORE_INDEX : id));
    const axis = Array.from({ length }, (_unused, t) => t);
    return {
      id: `toy-${n}`,
      inputIds,
      labels,
      positionIds: Int32Array.from([...axis, ...axis, ...axis]),
      ropeDelta: 0,
      labelTokens: countLabels(labels),
      media: [],
      visionRows: new Int32Array(0),
      pixels: () => Promise.reject(new Error('toy samples have no pictures')),
    };
  });
}
