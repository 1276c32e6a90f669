/**
 * What a plan foretells against what the device's own ledger counts, in whole runs of the real session on the demo's model.
 * Kernels do nothing here, which changes no count and spares minutes.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseTrainingConfig, type TrainingConfigInput } from '../../src/protocol/config.ts';
import type { DatasetSource, RunPlan, TrainerEvent } from '../../src/protocol/messages.ts';
import { engineOn } from '../../src/session/gpu-engine.ts';
import { TrainerSession } from '../../src/session/session.ts';
import { idleKernels } from './idle-kernels.ts';
import { useGpu } from './open.ts';
import { limitMemory } from './scarce-memory.ts';

const gpuOf = useGpu();
const DEMO: DatasetSource = { kind: 'demo' };
const EVERYTHING = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj', 'attn.qkv', 'attn.proj', 'linear_fc1', 'linear_fc2'];

const events: TrainerEvent[] = [];
let session: TrainerSession;
let runs = 0;
let busyAgain: () => void;
/** Bytes that others hold on the same device. */
let foreign: number;

beforeAll(async () => {
  await gpuOf().trim();
  foreign = gpuOf().bytes();
  busyAgain = idleKernels(gpuOf());
  const opened = { gpu: gpuOf(), description: 'the tests’ own', other: null, isFallback: true, lost: new Promise<never>(() => undefined) };
  const selfTest = { passed: true, maxError: 0, milliseconds: 0 };
  const engine = engineOn(opened, { power: 'high-performance', selfTest }, null);
  session = new TrainerSession(() => Promise.resolve(engine), new URL('/demo/', location.href).href, (event) => events.push(event));
  await session.handle({ type: 'openDevice', power: 'high-performance' });
});
afterAll(() => busyAgain());

const configOf = (input: TrainingConfigInput) =>
  parseTrainingConfig({ max_steps: 3, gradient_accumulation_steps: 1, logging_steps: 1, eval_steps: 0, save_steps: 0, lora_dropout: 0, num_generations: 4, reward_scheme: 'demo', ...input });

/** A dataset of two equal records, as a file. */
function textOf(words: number): DatasetSource {
  const record = { id: 'text', conversations: [{ from: 'human', value: 'Tell me. '.repeat(words) }, { from: 'gpt', value: 'a pole, a box. '.repeat(words) }] };
  return files([record, { ...record, id: 'again' }], []);
}

/** The first records of the demo: where they make one batch, every batch is the largest. */
async function demoPart(name: string, count: number): Promise<DatasetSource> {
  const folder = new URL('/demo/data/', location.href).href;
  const records = ((await (await fetch(`${folder}${name}.json`)).json()) as { image: string }[]).slice(0, count);
  const images = await Promise.all(records.map(async ({ image }) => ({ path: image, file: await (await fetch(folder + image)).blob() })));
  return files(records, images);
}

/** One sample to train on, and texts of many lengths to validate on. */
function manyLengths(count: number): DatasetSource {
  const record = (i: number) => ({ id: `text ${i}`, conversations: [{ from: 'human', value: 'Tell me. '.repeat(2 + ((i * 37) % 61)) }, { from: 'gpt', value: 'a pole, a box. '.repeat(1 + (i % 7)) }] });
  const records = (from: number, to: number) => new Blob([JSON.stringify(Array.from({ length: to - from }, (_, i) => record(from + i)))]);
  return { kind: 'files', train: [{ path: 'train.json', file: records(0, 1) }], validation: [{ path: 'validation.json', file: records(1, 1 + count) }] };
}

const files = (records: object[], images: { path: string; file: Blob }[]): DatasetSource => ({
  kind: 'files',
  train: [{ path: 'train.json', file: new Blob([JSON.stringify(records)]) }, ...images],
  validation: [],
});

async function prepare(input: TrainingConfigInput, source: DatasetSource): Promise<{ config: ReturnType<typeof configOf>; plan: RunPlan }> {
  const config = configOf(input);
  await session.handle({ type: 'loadModel', source: { kind: 'demo' }, config });
  await session.handle({ type: 'loadDataset', source, config });
  return { config, plan: (await session.handle({ type: 'plan', config })) as RunPlan };
}

/** Trains to the end. @returns the events of the run */
async function train(config: ReturnType<typeof configOf>): Promise<TrainerEvent[]> {
  const first = events.length;
  const runId = `plan-${++runs}`;
  await session.handle({ type: 'start', runId, name: runId, config });
  for (;;) {
    const mine = events.slice(first);
    const failed = mine.find((event) => event.type === 'failed');
    if (failed?.type === 'failed') throw new Error(failed.error.message);
    if (mine.some(({ type }) => type === 'finished')) return mine;
    await new Promise((resume) => setTimeout(resume, 20));
  }
}

interface Setting {
  name: string;
  config: TrainingConfigInput;
  /** Left out: so many of the demo's records as a batch has. */
  source?: DatasetSource;
}

const SETTINGS: Setting[] = [
  { name: 'one sample with a picture', config: { per_device_train_batch_size: 1 } },
  { name: 'four samples', config: { per_device_train_batch_size: 4 } },
  { name: 'eight samples at rank 4', config: { per_device_train_batch_size: 8, r: 4 } },
  { name: 'rank 64', config: { per_device_train_batch_size: 2, r: 64 } },
  { name: 'all layers kept', config: { per_device_train_batch_size: 2, gradient_checkpointing: false } },
  { name: 'all layers of six samples kept', config: { per_device_train_batch_size: 6, r: 4, gradient_checkpointing: false } },
  { name: 'an adapted vision tower', config: { per_device_train_batch_size: 2, target_modules: EVERYTHING } },
  { name: 'a long text', config: { per_device_train_batch_size: 1 }, source: textOf(80) },
  { name: 'short texts', config: { per_device_train_batch_size: 2 }, source: textOf(8) },
  { name: 'pairs of preferences', config: { method: 'dpo', per_device_train_batch_size: 2 } },
  { name: 'sampled answers', config: { method: 'grpo', loss_type: 'grpo', per_device_train_batch_size: 1, max_completion_length: 48 } },
  { name: 'answers to prompts of many lengths', config: { per_device_train_batch_size: 1, eval_steps: 2, eval_num_samples: 64, max_new_tokens: 48 }, source: manyLengths(64) },
];

describe('the memory of a run', () => {
  it.each(SETTINGS)('of $name is foretold within a tenth', async ({ config: input, source }) => {
    const records = input.method === 'dpo' ? 'dpo_train' : 'sft_train';
    const { config, plan } = await prepare(input, source ?? (await demoPart(records, input.per_device_train_batch_size!)));
    await train(config);
    const peak = gpuOf().peakBytes() - foreign;
    const MIB = 2 ** 20;
    const { memory } = plan;
    console.info(`${(memory.total / MIB).toFixed(2)} MiB planned (${(memory.weights / MIB).toFixed(2)} + ${(memory.adapterAndOptimizer / MIB).toFixed(2)} + ${(memory.activations / MIB).toFixed(2)}), ${(peak / MIB).toFixed(2)} measured, ${(memory.total / peak).toFixed(3)}`);
    expect(Math.abs(memory.total / peak - 1)).toBeLessThan(0.1);
  });
});

describe('a run that does not fit', () => {
  it('is told before any row, with settings that need less; with these it trains on the same device', async () => {
    const { config, plan } = await prepare({ per_device_train_batch_size: 64, gradient_checkpointing: false }, DEMO);
    const first = events.length;
    const unlimited = limitMemory(gpuOf(), plan.memory.total * 0.8);
    try {
      await expect(session.handle({ type: 'start', runId: 'heavy', name: 'heavy', config })).rejects.toMatchObject({ code: 'out-of-memory' });
      const told = events.slice(first);
      const tried = told.find((event) => event.type === 'tried');
      if (tried?.type !== 'tried' || tried.outcome.fits) throw new Error('nothing was told');
      expect(told.some(({ type }) => type === 'train' || type === 'status')).toBe(false);
      expect(tried.outcome.alternatives.length).toBeGreaterThan(0);
      const [{ settings, bytes }] = tried.outcome.alternatives;
      expect(bytes).toBeLessThan(plan.memory.total * 0.8);
      const rows = await train({ ...config, ...settings, gradient_accumulation_steps: 1 });
      expect(rows.filter(({ type }) => type === 'train')).toHaveLength(3);
    } finally {
      unlimited();
    }
  });
});
