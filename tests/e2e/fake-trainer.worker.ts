/** A trainer that computes nothing: speaks the protocol with scripted numbers and stores real runs, so that the page can be walked without a GPU. */
import type { Dataset } from '../../src/data/dataset.ts';
import type { TrainingConfig } from '../../src/protocol/config.ts';
import { writeSafetensors } from '../../src/checkpoint/safetensors.ts';
import { LorikeetError } from '../../src/protocol/errors.ts';
import type { ErrorCode } from '../../src/protocol/errors.ts';
import type { TrainRow, ValRow } from '../../src/protocol/log.ts';
import type { AnswerPreview, CompletionGroup, DatasetProblem, FromWorker, Replies, Request, RunStatus, SamplePreview, ToWorker, TrainerEvent } from '../../src/protocol/messages.ts';
import { lockRun } from '../../src/storage/locks.ts';
import { RunWriter } from '../../src/storage/run-writer.ts';
import { dpoMetrics, fakeCompletions, grpoMetrics, methodColumns, validationMetrics } from './fake-methods.ts';
import { fakeClipView } from './fake-clips.ts';
import { profileOf } from '../../src/session/data-profile.ts';
import { fakeTrial } from './fake-trial.ts';
import { FAKE_CLASSES, fakeTuning } from './fake-tuning.ts';
import { fakePairs, previewOf, readFiles } from './fake-data.ts';
import { FakeEvaluation } from './fake-evaluation.ts';
import { FakePlayground, inspectFakeAdapter } from './fake-playground.ts';
import { loadScenes, noisyBoxes, type Scene } from './fake-scenes.ts';
import { emptyTotals } from '../../src/training/log.ts';

interface Scenario {
  /** Milliseconds per step; small values make tests quick. */
  stepMs: number;
  /** Fails at this step with this code. */
  failAt?: { step: number; code: ErrorCode; learningRate?: number };
  /** Throws an uncaught error at this step of a fresh run, as a crash would. */
  crashAt?: number;
  /** Refuses to open the device with this code. */
  deviceError?: ErrorCode;
  problems?: boolean;
  /** Ends a run after so many steps at the latest. */
  steps?: number;
  /** Never comes back from a start: its thread is stuck. */
  stuckAtStart?: boolean;
  /** A CPU plays the GPU: it is tuned only when asked. */
  software?: boolean;
  /** No gradient reaches the adapter from this step on. */
  deadFrom?: number;
  /** What the machine has besides, to save power with. */
  otherGpu?: string;
  /** Share of sampled answers that the log calls cut. */
  cutShare?: number;
  /** More samples at once do not fit: their trial says so. */
  fitsAtOnce?: number;
}

const scenario: Scenario = { stepMs: 60, ...(globalThis as unknown as { SCENARIO?: Partial<Scenario> }).SCENARIO };
const post = (message: FromWorker) => self.postMessage(message);
const tell = (event: TrainerEvent) => post({ kind: 'event', event });
const sleep = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

const NOTHING_ASKED = { annotations: [], unknown: [], boxQuestions: [], profile: { lengths: null, imageSizes: { rows: [], others: 0 }, classes: { rows: [], others: 0 }, shared: { images: 0, texts: 0 } } };
const NO_PAIR: DatasetProblem = { level: 'error', code: 'dataset', message: 'The record has no rejected answer.', advice: 'Add it under "rejected".', file: 'train.json', sample: 1, field: 'rejected' };

let scenes: { train: Scene[]; validation: Scene[] } | null = null;
let paused = false;
let stopAsked = false;
let writer: RunWriter | null = null;
let step = 0;

const adapterFiles = (note: string) =>
  new Map([
    ['adapter_config.json', new TextEncoder().encode(JSON.stringify({ peft_type: 'LORA', note }))],
    ['adapter_model.safetensors', writeSafetensors([{ name: 'lora_A.weight', dtype: 'F32', shape: [512], data: new Float32Array(512) }])],
  ]);

const checkpointFiles = () =>
  new Map([
    ...adapterFiles(`step ${step}`),
    ['optimizer.safetensors', writeSafetensors([{ name: 'lora_A.weight.exp_avg', dtype: 'F32', shape: [512], data: new Float32Array(512) }])],
    ['trainer_state.json', new TextEncoder().encode(JSON.stringify({ global_step: step, lorikeet: { format: 1, data_fingerprint: 'fake', totals: emptyTotals() } }))],
  ]);

async function data() {
  scenes ??= await loadScenes();
  return scenes;
}

const fastGpu = scenario.software ? 'SwiftShader' : 'NVIDIA RTX 3060';

/** Files of the user's own, instead of the scenes. */
let own: Dataset | null = null;

const playground = new FakePlayground(data, (turn, answer) => tell({ type: 'tokens', turn, answer }), scenario.stepMs);

const evaluation = new FakeEvaluation(async (split) => (await data())[split], tell, scenario.stepMs, scenario.problems === true);

const handlers: { [T in Request['type']]: (request: Extract<Request, { type: T }>) => Promise<Replies[T]> } = {
  async ping() {
    return null;
  },
  async evaluate(request) {
    return evaluation.run(request);
  },
  async pauseEvaluation({ paused: held }) {
    evaluation.pause(held);
    return null;
  },
  async stopEvaluation() {
    evaluation.stop();
    return null;
  },

  async openDevice({ power }) {
    if (scenario.deviceError) throw new LorikeetError(scenario.deviceError, 'The adapter gave no device.');
    if (!scenario.software) void tune();
    else tell({ type: 'tuning', state: fakeTuning(0, 0, true) });
    return {
      adapter: power === 'low-power' && scenario.otherGpu ? scenario.otherGpu : fastGpu,
      power,
      other: scenario.otherGpu ? (power === 'low-power' ? fastGpu : scenario.otherGpu) : null,
      isFallback: scenario.software ?? false,
      features: ['shader-f16', 'subgroups', 'timestamp-query'],
      maxBufferBytes: 2 ** 32,
      maxBindingBytes: 2 ** 31,
      selfTest: { passed: true, maxError: 2.4e-6, milliseconds: 412 },
    };
  },
  async tune() {
    void tune();
    return null;
  },
  async loadModel() {
    for (let done = 0; done <= 5; done++) {
      tell({ type: 'progress', task: 'model', done: done * 1_010_000, stage: 'weights', total: 5_050_000 });
      await sleep(scenario.stepMs);
    }
    return {
      name: 'Tiny Qwen3-VL',
      modelType: 'qwen3_vl',
      parameters: 2_512_384,
      hiddenSize: 128,
      layers: 5,
      visionLayers: 4,
      vocabularySize: 1024,
      fileBytes: 5_050_000,
      boxUnit: 'thousandths',
      quantizationAdvice: 'nf4',
      keptWeights: 'small',
    };
  },
  async checkDataset() {
    throw new Error('the fake leaves nothing unchecked');
  },
  async loadDataset({ source, config }) {
    own = await readFiles(source, config);
    if (own?.train.length === 0 && own.unknown.length === 0) own = null;
    if (own) {
      const { images, videos, rejected, problems, problemCount, errorCount, annotations, unknown, pixelSuspects } = own;
      const boxQuestions = pixelSuspects.map((file) => ({ file, sample: { split: 'train' as const, index: 0 } }));
      return { trainSamples: own.train.length, validationSamples: own.validation.length, tokens: null, images, videos, rejected, problems, problemCount, errorCount, annotations, unknown, boxQuestions, profile: await profileOf(own, null, 0) };
    }
    const { train, validation } = await data();
    if (config.method === 'dpo' && source.kind === 'files') {
      return { trainSamples: 0, validationSamples: 0, tokens: null, images: 1, videos: 0, rejected: 1, problemCount: 1, errorCount: 1, problems: [NO_PAIR], ...NOTHING_ASKED };
    }
    for (let done = 0; done <= 4; done++) {
      tell({ type: 'progress', task: 'dataset', done: done * 96, stage: 'images', total: 384 });
      await sleep(scenario.stepMs / 2);
    }
    return {
      trainSamples: train.length,
      validationSamples: validation.length,
      tokens: { min: 62, median: 104, max: 148, mediaShare: 0.24 },
      images: train.length + validation.length,
      videos: 0,
      rejected: scenario.problems ? 3 : 0,
      ...NOTHING_ASKED,
      problemCount: scenario.problems ? 4 : 0,
      errorCount: scenario.problems ? 3 : 0,
      problems: scenario.problems
        ? [
            { level: 'error', code: 'file-missing', message: 'The image images/9.png is not among the dropped files.', advice: 'Add it, or correct the path.', file: 'train.json', sample: 9, field: 'image' },
            { level: 'error', code: 'dataset', message: 'Line 12 is not valid JSON: unexpected end of text.', advice: 'Complete this line.', file: 'more.jsonl', line: 12 },
            { level: 'error', code: 'dataset', message: 'A box lies outside 0..1000: (90, 120), (1040, 400).', advice: 'Give boxes in thousandths of the image.', file: 'train.json', sample: 31, field: 'conversations[1].value' },
            { level: 'warning', code: 'dataset', message: 'Two samples have the id scene-7.', advice: 'Give each sample its own id.', file: 'train.json', sample: 44, field: 'id' },
          ]
        : [],
    };
  },
  async sample({ split, index }) {
    if (own) return previewOf(own, split, index);
    const scene = (await data())[split][index];
    return {
      split,
      index,
      id: scene.id,
      media: [{ kind: 'image', file: await scene.image() }],
      turns: [
        { role: 'user', text: scene.prompt },
        { role: 'assistant', text: scene.answer },
      ],
      boxes: scene.boxes,
      scored: { prompt: scene.prompt, truth: scene.answer, extra: { scene: scene.id }, imageSize: { width: 128, height: 128 } },
      tokens: { total: 118, media: 20, label: 74 },
    } satisfies SamplePreview;
  },
  viewClip: ({ clip }) => fakeClipView(clip),
  makePairs: ({ settings }) => fakePairs(settings),
  inspectAdapter: ({ source }) => inspectFakeAdapter(source),
  generate: (request) => playground.generate(request),
  async stopGenerating() {
    playground.stop();
    return null;
  },
  async plan({ config }) {
    const totalSteps = stepsOf(config);
    return {
      totalSteps,
      stepsPerEpoch: 40,
      trainableParameters: 12_200 * config.r,
      adaptedModules: 35,
      pace: { logging_steps: config.logging_steps, eval_steps: config.eval_steps, save_steps: config.save_steps },
      memory: { weights: 1_900_000, adapterAndOptimizer: 195_000 * 12, activations: 36_800_000, total: 41_040_000 },
      stepSeconds: scenario.stepMs / 1000,
      totalSeconds: (totalSteps * scenario.stepMs) / 1000,
      measured: true,
      warnings: [],
    };
  },
  async start({ runId, name, config, adapter }) {
    if (scenario.stuckAtStart) for (;;);
    if (scenario.fitsAtOnce !== undefined) {
      const outcome = fakeTrial(config, scenario.fitsAtOnce, await handlers.plan({ type: 'plan', config }));
      tell({ type: 'tried', outcome });
      if (!outcome.fits) throw new LorikeetError('out-of-memory', 'The GPU ran out of memory in a step of 4096 tokens.');
    }
    if (adapter) tell({ type: 'notice', runId, notice: { step: 0, level: 'info', message: `Started from the adapter ${adapter.kind}.`, time: new Date().toISOString() } });
    writer = await RunWriter.create({
      id: runId,
      name,
      createdAt: new Date().toISOString(),
      config,
      logConfig: { ...config, model_path: 'demo' },
      modelName: 'Tiny Qwen3-VL',
      model: { kind: 'demo' },
      dataset: { kind: 'demo' },
      environment: { lorikeet_version: '0.1.0', user_agent: 'fake', adapter: 'fake', features: [], mixed_precision: 'no', quantization: 'nf4' },
      totalSteps: stepsOf(config),
      deletedAt: null,
    });
    void train(runId, config, 0);
    return { runId };
  },
  async resumeRun({ runId }) {
    writer = await RunWriter.open(runId);
    const from = Math.max(0, ...Object.values(writer.directories).map((directory) => directory.step));
    await writer.truncateLog(from);
    void train(runId, writer.run.config, from);
    return { runId, step: from };
  },
  async pause() {
    paused = true;
    return null;
  },
  async continue() {
    paused = false;
    return null;
  },
  async saveNow() {
    await save();
    return { step };
  },
  async stop() {
    stopAsked = true;
    paused = false;
    return null;
  },
};

const stepsOf = (config: TrainingConfig) => Math.min(scenario.steps ?? Infinity, config.max_steps > 0 ? config.max_steps : Math.ceil(config.num_train_epochs * 40));

async function tune(): Promise<void> {
  for (let done = 0; done <= FAKE_CLASSES; done++) {
    tell({ type: 'tuning', state: fakeTuning(done, FAKE_CLASSES, scenario.software ?? false) });
    await sleep(scenario.stepMs);
  }
}

async function save(): Promise<void> {
  if (!writer) return;
  await writer.writeDirectory(`checkpoint-${step}`, step, checkpointFiles());
  tell({ type: 'saved', runId: writer.run.id, step, at: new Date().toISOString() });
}

async function train(runId: string, config: TrainingConfig, from: number): Promise<void> {
  const total = stepsOf(config);
  const release = await lockRun(runId);
  stopAsked = false;
  paused = false;
  step = from;
  const status = (name: RunStatus) => {
    writer?.append([], { status: name, step });
    tell({ type: 'status', runId, status: name, step, totalSteps: total, secondsLeft: ((total - step) * scenario.stepMs) / 1000 });
  };
  try {
    status('preparing');
    for (let done = 0; done <= 3; done++) {
      tell({ type: 'progress', task: 'prepare', done, stage: 'adapter', total: 3 });
      await sleep(scenario.stepMs);
    }
    if (from === 0) await validate(runId, config, status);
    while (step < total && !stopAsked) {
      if (paused) {
        status('paused');
        while (paused) await sleep(20);
      }
      await sleep(scenario.stepMs);
      step += 1;
      if (from === 0 && scenario.crashAt === step) setTimeout(() => { throw new Error('the worker ran out of memory'); });
      if (scenario.failAt?.step === step && config.learning_rate === (scenario.failAt.learningRate ?? config.learning_rate)) throw new LorikeetError(scenario.failAt.code, `Step ${step} could not be computed.`);
      const groups = config.method === 'grpo' || config.method === 'grpo-trl' ? await sample(step, config) : null;
      const row = { ...trainRow(step, total, config), ...(config.method === 'dpo' ? dpoMetrics(step) : groups ? grpoMetrics(step, config, groups) : {}) };
      Object.assign(row, methodColumns(row, config), scenario.cutShare === undefined ? {} : { 'completions/clipped_ratio': scenario.cutShare });
      if (scenario.deadFrom !== undefined && step >= scenario.deadFrom) row.grad_norm = 0;
      writer?.append([{ kind: 'train', row }], { status: 'running', step, lastLoss: row.loss });
      tell({ type: 'train', runId, row });
      if (groups) {
        await writer?.writeCompletions(step, groups);
        tell({ type: 'completions', runId, step, groups });
      }
      status('running');
      if (config.save_steps > 0 && step % config.save_steps === 0) await save();
      if (config.eval_steps > 0 && (step % config.eval_steps === 0 || step === scenario.steps)) await validate(runId, config, status);
    }
    await writer?.writeDirectory('final', step, adapterFiles('final'));
    status(step >= total ? 'finished' : 'stopped');
    await writer?.flush();
    if (writer) tell({ type: 'finished', runId, log: writer.log() });
  } catch (error) {
    const known = LorikeetError.from(error).toRecord();
    status('failed');
    await writer?.flush();
    tell({ type: 'failed', runId, error: known });
  } finally {
    release();
  }
}

/** Answers of a step, with the pictures that the page will ask for. */
async function sample(at: number, config: TrainingConfig): Promise<CompletionGroup[]> {
  const { train: scenes } = await data();
  const groups = fakeCompletions(at, config, scenes);
  for (const { sample: index } of groups) await writer?.keepSampleImage(index, await scenes[index].image());
  return groups;
}

const finalMetrics = (row: ValRow) => Object.fromEntries(Object.entries(row).filter(([key, value]) => key.startsWith('eval_') && typeof value === 'number')) as Record<string, number>;

function trainRow(at: number, total: number, config: TrainingConfig): TrainRow {
  const wobble = Math.sin(at * 12.9898) * 0.5 + Math.sin(at * 4.17) * 0.5;
  const warm = Math.max(1, Math.round(total * config.warmup_ratio));
  return {
    step: at,
    epoch: at / 40,
    loss: 0.17 + 2.2 * Math.exp(-at / 8) + Math.abs(wobble) * 0.07,
    learning_rate: config.learning_rate * (at <= warm ? at / warm : (1 + Math.cos((Math.PI * (at - warm)) / Math.max(1, total - warm))) / 2),
    grad_norm: 0.45 + 3 * Math.exp(-at / 9) + (wobble + 1) * 0.16,
    tokens_per_second: 1840 + wobble * 60,
    step_time_ms: scenario.stepMs,
    gpu_memory_mb: 41,
    num_tokens: at * 880,
    samples: at * 8,
    elapsed_s: (at * scenario.stepMs) / 1000,
    time: new Date().toISOString(),
  };
}

function sftValidation(skill: number): Partial<ValRow> {
  return {
    eval_loss: step === 0 ? 7.6 : 0.24 + 1.1 * Math.exp(-step / 12) + 20 * Math.abs((writer?.run.config.learning_rate ?? 0.002) - 0.002),
    eval_format: skill,
    eval_bbox_iou: 0.8 * skill,
    eval_bbox_iou50: 0.9 * skill,
    eval_category: 0.94 * skill,
    eval_status: 0.8 * skill,
    eval_completeness: 0.9 * skill,
    eval_f1: 0.85 * skill,
  };
}

async function validate(runId: string, config: TrainingConfig, status: (name: RunStatus) => void): Promise<void> {
  status('validating');
  const { validation } = await data();
  const chosen = validation.slice(0, 12);
  for (let done = 0; done <= 4; done++) {
    tell({ type: 'progress', task: 'validation', done: done * 16, stage: 'answers', total: 64 });
    await sleep(scenario.stepMs / 2);
  }
  const skill = 1 - Math.exp(-step / 22);
  const row: ValRow = {
    step,
    epoch: step / 40,
    eval_runtime: 1.2,
    eval_samples: 64,
    time: new Date().toISOString(),
    ...(config.method === 'sft' ? sftValidation(skill) : validationMetrics(config, skill)),
  };
  const answers: AnswerPreview[] = await Promise.all(
    chosen.map(async (scene, index) => ({
      index,
      id: scene.id,
      prompt: scene.prompt,
      truth: scene.answer,
      answer: step === 0 ? 'a road scene' : scene.answer,
      truthBoxes: scene.boxes,
      answerBoxes: noisyBoxes(scene.boxes, skill, index),
      before: { answer: 'a road scene', boxes: [] },
      image: await scene.image(),
    })),
  );
  writer?.append([{ kind: 'val', row }], { finalMetrics: finalMetrics(row) });
  const lines = answers.map(({ index, id, prompt, truth, answer }) => `${JSON.stringify({ step, index, id, prompt, truth, answer })}\n`);
  await writer?.writeAnswers(step, answers, lines.join(''));
  const metric = config.metric_for_best_model;
  const best = { step, epoch: row.epoch, metric, value: Number(row[metric]), path: 'best' };
  if (step > 0) await writer?.writeDirectory('best', step, adapterFiles('best'), { best });
  tell({ type: 'validation', runId, row, answers, best: step > 0 ? best : null });
  if (step === 20) {
    const message = '4 of 64 validation answers say a different number of devices than they list. This usually passes with more steps; if not, raise the rank.';
    const notice = { step, level: 'warning' as const, message, time: new Date().toISOString() };
    writer?.notice(notice);
    tell({ type: 'notice', runId, notice });
  }
  status('running');
}

self.addEventListener('message', (event: MessageEvent<ToWorker>) => {
  const { id, request } = event.data;
  const handle = handlers[request.type] as (request: Request) => Promise<Replies[keyof Replies]>;
  handle(request).then(
    (value) => post({ kind: 'reply', id, value }),
    (error: unknown) => post({ kind: 'error', id, error: LorikeetError.from(error).toRecord() }),
  );
});

