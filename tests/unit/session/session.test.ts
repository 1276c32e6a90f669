import { beforeEach, describe, expect, it, vi } from 'vitest';
import { parseTrainingConfig } from '../../../src/protocol/config.ts';
import { LorikeetError } from '../../../src/protocol/errors.ts';
import type { DatasetSummary, ModelSummary, RunPlan, SamplePreview } from '../../../src/protocol/messages.ts';
import { readRunFiles } from '../../../src/storage/export-run.ts';
import { listRuns, readLog, readRunSources } from '../../../src/storage/runs.ts';
import { pretendBrowser } from '../storage/pretend-browser.ts';
import type { PretendBrowser } from '../storage/pretend-browser.ts';
import { never, timeless } from '../training/toy-run.ts';
import { demoConfig, demoFiles, demoModelFiles, fakeSession, fetchPublic } from './fake-engine.ts';

let browser: PretendBrowser;
beforeEach(() => {
  browser = pretendBrowser();
  vi.stubGlobal('fetch', fetchPublic);
});

const config = demoConfig();
const dataset = () => ({ kind: 'files' as const, train: demoFiles(7), validation: demoFiles(3, 'sft_val') });

async function prepared(prepare?: Parameters<typeof fakeSession>[0]) {
  const parts = fakeSession(prepare);
  await parts.session.handle({ type: 'loadModel', source: { kind: 'demo' }, config });
  await parts.session.handle({ type: 'loadDataset', source: dataset(), config });
  return parts;
}

describe('model and dataset', () => {
  it('loads the demo, all of it usable', async () => {
    const { session, events } = fakeSession();
    const model = (await session.handle({ type: 'loadModel', source: { kind: 'demo' }, config })) as ModelSummary;
    expect(model).toMatchObject({ name: 'demo', modelType: 'qwen3_vl', layers: 5, visionLayers: 4, hiddenSize: 128, vocabularySize: 1024 });
    const summary = (await session.handle({ type: 'loadDataset', source: { kind: 'demo' }, config })) as DatasetSummary;
    expect(summary).toMatchObject({ trainSamples: 320, validationSamples: 64, rejected: 0, problemCount: 0, problems: [] });
    expect(summary.tokens!.max).toBeLessThan(256);
    expect(events.filter((event) => event.type === 'progress').at(-1)).toMatchObject({ task: 'dataset', done: 384, total: 384 });
  }, 60_000);

  it('counts tokens only once there is a model', async () => {
    const { session } = fakeSession();
    const before = (await session.handle({ type: 'loadDataset', source: dataset(), config })) as DatasetSummary;
    expect(before).toMatchObject({ trainSamples: 7, validationSamples: 3, tokens: null });
    await session.handle({ type: 'loadModel', source: { kind: 'demo' }, config });
    const after = (await session.handle({ type: 'loadDataset', source: dataset(), config })) as DatasetSummary;
    expect(after.tokens!.mediaShare).toBeGreaterThan(0.05);
  });

  it('leaves out samples with broken images, too many tokens or nothing to learn, and names them', async () => {
    const { session } = fakeSession();
    await session.handle({ type: 'loadModel', source: { kind: 'demo' }, config });
    const train = demoFiles(5);
    const broken = train[2];
    const cut = broken.file.slice(0, broken.file.size - 400);
    const source = { kind: 'files' as const, train: train.map((file) => (file === broken ? { ...file, file: cut } : file)), validation: [] };
    const summary = (await session.handle({ type: 'loadDataset', source, config })) as DatasetSummary;
    expect(summary).toMatchObject({ trainSamples: 4, rejected: 1, problemCount: 1 });
    expect(summary.problems[0]).toMatchObject({ level: 'error', sample: 2 });
    expect(summary.problems[0].message).toContain(broken.path.split('/').at(-1));
    const short = (await session.handle({ type: 'loadDataset', source, config: { ...config, max_length: 60 } })) as DatasetSummary;
    expect(short.rejected).toBeGreaterThan(1);
    expect(short.problems.some(({ message }) => /max_length is 60/.test(message))).toBe(true);
  });

  it('shows a sample with its image, turns, boxes and token counts', async () => {
    const { session } = await prepared();
    const preview = (await session.handle({ type: 'sample', split: 'train', index: 0 })) as SamplePreview;
    expect(preview).toMatchObject({ id: 'train_0000', boxes: [{ box: [38, 281, 188, 680] }] });
    expect(preview.turns.map(({ role }) => role)).toContain('assistant');
    expect(preview.media.length).toBe(1);
    const { total, media, label } = preview.tokens!;
    expect(media + label).toBeLessThan(total);
    await expect(session.handle({ type: 'sample', split: 'validation', index: 3 })).rejects.toMatchObject({ code: 'dataset' });
  });

  it('quantises as the settings say and loads again only when they change', async () => {
    const { session, loads } = await prepared();
    await session.handle({ type: 'loadModel', source: { kind: 'demo' }, config: { ...config, learning_rate: 1 } });
    expect(loads).toEqual([{ kinds: ['nf4'] }]);
    await session.handle({ type: 'loadModel', source: { kind: 'demo' }, config: { ...config, quantize_vision: false } });
    await session.handle({ type: 'loadModel', source: { kind: 'demo' }, config: { ...config, load_in_4bit: false, load_in_8bit: true } });
    expect(loads.slice(1).map(({ kinds }) => kinds.sort())).toEqual([['bf16', 'nf4'], ['int8']]);
    // Left to the model, its family's way counts, not what the settings have.
    const advised = await session.handle({ type: 'loadModel', source: { kind: 'demo' }, config: { ...config, load_in_4bit: false, load_in_8bit: true }, advised: true });
    expect(advised).toMatchObject({ quantizationAdvice: 'nf4', boxUnit: 'thousandths' });
    expect(loads.at(-1)).toEqual({ kinds: ['nf4'] });
  });

  it('plans from shapes', async () => {
    const { session } = await prepared();
    const plan = (await session.handle({ type: 'plan', config })) as RunPlan;
    // 5 layers of q, k, v, o (128 → 128, 64, 64; 128 → 128) and gate, up, down (128 ↔ 384), rank 4
    const perLayer = (128 + 128) + (128 + 64) + (128 + 64) + (128 + 128) + 3 * (128 + 384);
    expect(plan).toMatchObject({ totalSteps: 8, stepsPerEpoch: 4, adaptedModules: 35, trainableParameters: 5 * 4 * perLayer, measured: false });
    expect(plan.memory.adapterAndOptimizer).toBe(20 * plan.trainableParameters);
    expect(plan.memory.total).toBe(plan.memory.weights + plan.memory.adapterAndOptimizer + plan.memory.activations);
    const kept = (await session.handle({ type: 'plan', config: { ...config, gradient_checkpointing: false } })) as RunPlan;
    expect(kept.memory.activations).toBeGreaterThan(2 * plan.memory.activations);
    expect(kept.stepSeconds!).toBeLessThan(plan.stepSeconds!);
  });

  it('says what is missing', async () => {
    const { session } = fakeSession();
    await expect(session.handle({ type: 'plan', config })).rejects.toMatchObject({ code: 'config', message: 'No model is loaded.' });
    await session.handle({ type: 'loadModel', source: { kind: 'demo' }, config });
    await expect(session.handle({ type: 'start', runId: 'x', name: 'x', config })).rejects.toMatchObject({ code: 'config', message: 'No dataset is loaded.' });
    for (const type of ['pause', 'continue', 'stop', 'saveNow'] as const) await expect(session.handle({ type })).rejects.toMatchObject({ message: 'No run is under way.' });
  });
});

describe('runs', () => {
  it('trains to the end and leaves the directory of the contract', async () => {
    const { session, events, next } = await prepared();
    const finished = next('finished');
    expect(await session.handle({ type: 'start', runId: 'first', name: 'First run', config })).toEqual({ runId: 'first' });
    const { log } = await finished;
    expect(log.train_history.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(log.val_history.map(({ step }) => step)).toEqual([0, 4, 8]);
    expect(log.val_history[0]).toMatchObject({ eval_samples: 3, eval_format: 0 });
    expect(log.val_history[2].eval_loss).toBeLessThan(log.val_history[0].eval_loss!);
    expect(log.config).toMatchObject({
      model_path: 'demo', output_dir: 'outputs/First run', num_epochs: 3, batch_size: 2, lora_r: 4, use_4bit: true,
      train_data: 'sft_train.json', val_data: 'sft_val.json', gradient_accumulation_steps: 1, learning_rate: 0.02,
    });
    expect(log.final_metrics).toMatchObject({ best_metric: log.best_checkpoint!.value, best_checkpoint: 'best', step: 8 });
    expect(log.config).toMatchObject({ box_convention: 'thousandths' });
    expect(log.environment).toMatchObject({ adapter: 'toy', mixed_precision: 'no', quantization: 'nf4, double quantised' });
    const files = await readRunFiles('first');
    const paths = files.map(({ path }) => path);
    for (const folder of ['best', 'final', 'checkpoint-3', 'checkpoint-6']) {
      expect(paths).toContain(`${folder}/adapter_config.json`);
      expect(paths).toContain(`${folder}/adapter_model.safetensors`);
    }
    for (const file of ['training_log.json', 'sft_config.json', 'val_predictions.jsonl', 'checkpoint-6/trainer_state.json', 'checkpoint-6/optimizer.safetensors']) expect(paths).toContain(file);
    expect((await listRuns())[0]).toMatchObject({ id: 'first', name: 'First run', status: 'finished', step: 8, totalSteps: 8, resumable: false });
    expect(events.some((event) => event.type === 'failed')).toBe(false);
    await expect(session.handle({ type: 'pause' })).rejects.toMatchObject({ code: 'config' });
  });

  it('goes on bit for bit in a fresh worker after the old one died, without being given anything', async () => {
    const whole = await prepared();
    const done = whole.next('finished');
    await whole.session.handle({ type: 'start', runId: 'reference', name: 'r', config });
    const { log } = await done;

    let reached: () => void = () => undefined;
    const killed = new Promise<void>((resolve) => (reached = resolve));
    const first = await prepared((model) => {
      model.beforeMicroBatch = (count) => {
        if (count !== 5) return undefined;
        reached();
        return never();
      };
    });
    await first.session.handle({ type: 'start', runId: 'died', name: 'r', config });
    await killed;
    await new Promise((resolve) => setTimeout(resolve, 50));
    const second = fakeSession();
    await expect(second.session.handle({ type: 'resumeRun', runId: 'died' })).rejects.toMatchObject({ code: 'run-locked' });
    browser.locks.dropAll();
    expect((await listRuns()).find(({ id }) => id === 'died')).toMatchObject({ status: 'interrupted', resumable: true });

    const finished = second.next('finished');
    expect(await second.session.handle({ type: 'resumeRun', runId: 'died' })).toEqual({ runId: 'died', step: 4 });
    const resumed = (await finished).log;
    expect(timeless(resumed.train_history)).toEqual(timeless(log.train_history));
    expect(resumed.val_history.map(({ eval_loss }) => eval_loss)).toEqual(log.val_history.map(({ eval_loss }) => eval_loss));
    expect(resumed.best_checkpoint).toEqual(log.best_checkpoint);
    expect(resumed.notices.map(({ message }) => message)).toEqual(['Resumed after step 4.']);
    const adapter = async (id: string) => (await readRunFiles(id)).find(({ path }) => path === 'final/adapter_model.safetensors')!.file.arrayBuffer();
    expect(new Uint8Array(await adapter('died'))).toEqual(new Uint8Array(await adapter('reference')));
  });

  it('asks for a dropped model again after a reload, and knows it from another', async () => {
    const source = { kind: 'files' as const, name: 'my-model', files: demoModelFiles() };
    const first = fakeSession();
    await first.session.handle({ type: 'loadModel', source, config });
    await first.session.handle({ type: 'loadDataset', source: dataset(), config });
    const stopped = first.next('finished');
    await first.session.handle({ type: 'start', runId: 'dropped', name: 'r', config: { ...config, max_steps: 5 } });
    await first.session.handle({ type: 'stop' });
    await stopped;
    expect((await readRunSources('dropped')).model).toMatchObject({ kind: 'files', name: 'my-model', handle: null });

    const second = fakeSession();
    const resume = () => second.session.handle({ type: 'resumeRun', runId: 'dropped' });
    await expect(resume()).rejects.toMatchObject({ code: 'resume', place: { field: 'model', file: 'my-model' } });
    const files = source.files.map((file) => (file.path === 'generation_config.json' ? { ...file, file: new Blob(['{}']) } : file));
    await second.session.handle({ type: 'loadModel', source: { ...source, files }, config });
    await expect(resume()).rejects.toMatchObject({ code: 'resume', message: expect.stringContaining('not the model that the run was started with') as string });
    await second.session.handle({ type: 'loadModel', source: { ...source, files: [...source.files].reverse() }, config });
    const finished = second.next('finished');
    await resume();
    expect((await finished).log.train_history.at(-1)).toMatchObject({ step: 5 });
  });

  it('asks for a dataset that could not be kept', async () => {
    browser.quota.quota = 1000;
    const first = await prepared();
    const stopped = first.next('finished');
    await first.session.handle({ type: 'start', runId: 'no-room', name: 'r', config });
    await first.session.handle({ type: 'stop' });
    expect((await stopped).log.notices[0].message).toMatch(/no room to keep a copy of the dataset/);
    const second = fakeSession();
    await expect(second.session.handle({ type: 'resumeRun', runId: 'no-room' })).rejects.toMatchObject({ code: 'resume', place: { field: 'dataset' } });
    await second.session.handle({ type: 'loadDataset', source: dataset(), config });
    const finished = second.next('finished');
    await second.session.handle({ type: 'resumeRun', runId: 'no-room' });
    expect((await finished).log.train_history.at(-1)).toMatchObject({ step: 8 });
  });

  it('obeys pause, save and continue, and refuses to change the model meanwhile', async () => {
    const { session, next, events } = await prepared();
    const finished = next('finished');
    await session.handle({ type: 'start', runId: 'obedient', name: 'r', config });
    await session.handle({ type: 'pause' });
    while (!events.some((event) => event.type === 'status' && event.status === 'paused')) await next('status');
    await expect(session.handle({ type: 'loadModel', source: { kind: 'demo' }, config })).rejects.toMatchObject({ code: 'config', message: 'A run is under way in this tab.' });
    const { step } = (await session.handle({ type: 'saveNow' })) as { step: number };
    expect((await readRunFiles('obedient')).map(({ path }) => path)).toContain(`checkpoint-${step}/optimizer.safetensors`);
    await session.handle({ type: 'continue' });
    await finished;
    expect((await readLog('obedient')).train_history.length).toBe(8);
  });

  it('tells of a lost device once, and the run stays resumable', async () => {
    const lost = new LorikeetError('device-lost', 'The GPU went away.');
    const { session, events, loseDevice, next } = await prepared((model) => {
      model.beforeMicroBatch = (count) => {
        if (count < 6) return undefined;
        loseDevice(lost);
        return Promise.reject(new Error('Device was lost before mapping was resolved'));
      };
    });
    const failed = next('failed');
    await session.handle({ type: 'start', runId: 'unlucky', name: 'r', config });
    expect(await failed).toMatchObject({ runId: 'unlucky', error: { code: 'device-lost' } });
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(events.filter((event) => event.type === 'failed').length).toBe(1);
    expect((await listRuns()).find(({ id }) => id === 'unlucky')).toMatchObject({ status: 'failed', resumable: true });
  });

  it.each(['before', 'after'])('says nothing of what was rejected %s its device was lost: that has been told', async (when) => {
    const { session, events, loseDevice } = await prepared();
    const lose = () => loseDevice(new LorikeetError('device-lost', 'The GPU went away.'));
    if (when === 'after') lose();
    const told = session.uncaught(new Error('Instance dropped in popErrorScope'));
    if (when === 'before') lose();
    await told;
    expect(events.flatMap((event) => (event.type === 'failed' ? event.error.code : []))).toEqual(['device-lost']);
  });

  it('tells of what was rejected and nobody waited for', async () => {
    const { session, events } = await prepared();
    await session.uncaught(new Error('odd'));
    expect(events.at(-1)).toMatchObject({ type: 'failed', runId: null, error: { code: 'internal', message: expect.stringContaining('odd') as string } });
  });

  it('refuses a second run of the same id', async () => {
    const { session, next } = await prepared();
    const finished = next('finished');
    await session.handle({ type: 'start', runId: 'twice', name: 'r', config: { ...config, max_steps: 1 } });
    await finished;
    await expect(session.handle({ type: 'start', runId: 'twice', name: 'r', config })).rejects.toMatchObject({ code: 'config' });
  });
});

it('a short run that is left to itself logs, validates and saves as often as its length allows, and is warned of nothing', async () => {
  const config = parseTrainingConfig({ max_steps: 12, max_length: 256, max_image_size: 0, per_device_train_batch_size: 1, gradient_accumulation_steps: 1, eval_num_samples: 2, max_new_tokens: 4, r: 4 });
  const { session, next } = fakeSession();
  await session.handle({ type: 'loadModel', source: { kind: 'demo' }, config });
  await session.handle({ type: 'loadDataset', source: { kind: 'files', train: demoFiles(4), validation: demoFiles(2, 'sft_val') }, config });
  const auto = ['logging_steps', 'eval_steps', 'save_steps'] as const;
  const said = (await session.handle({ type: 'plan', config })) as RunPlan;
  expect(said.warnings.map(({ key }) => key)).toEqual(expect.arrayContaining(['tooFewStepsToValidate', 'tooFewStepsToSave']));
  const plan = (await session.handle({ type: 'plan', config, auto })) as RunPlan;
  expect(plan.pace).toEqual({ logging_steps: 1, eval_steps: 3, save_steps: 3 });
  expect(plan.warnings.map(({ key }) => key).filter((key) => key.startsWith('tooFew'))).toEqual([]);
  const finished = next('finished');
  await session.handle({ type: 'start', runId: 'short', name: 'short', config, auto });
  const { log } = await finished;
  expect(log.train_history).toHaveLength(12);
  expect(log.val_history.map(({ step }) => step)).toEqual([0, 3, 6, 9, 12]);
  expect(log.config).toMatchObject({ save_steps: 3, eval_steps: 3, logging_steps: 1 });
});
