import { afterEach, describe, expect, it, vi } from 'vitest';
import { SafetensorsFile } from '../../../src/checkpoint/safetensors.ts';
import { commit, read } from '../../../src/storage/database.ts';
import { isResumable, keyOf } from '../../../src/storage/records.ts';
import { readLog } from '../../../src/storage/runs.ts';
import type { TrainerEvent } from '../../../src/protocol/messages.ts';
import { fillDisk } from '../storage/pretend-browser.ts';
import { toySamples } from './toy-model.ts';
import { readTrainerState, writeTrainerState } from '../../../src/training/trainer-state.ts';
import { buildToyRun, timeless, toyConfig, toyRun } from './toy-run.ts';

afterEach(() => vi.restoreAllMocks());

const stopAt = (micro: number) => ({ model, run }: Pick<Awaited<ReturnType<typeof buildToyRun>>, 'model' | 'run'>) => {
  model.beforeMicroBatch = (count) => (count === micro ? run.control.stop() : undefined);
};
const statuses = (events: readonly TrainerEvent[]) => events.flatMap((event) => (event.type === 'status' ? [event.status] : []));

describe('checkpoints of a run', () => {
  it.each([
    [2, ['best', 'checkpoint-6', 'checkpoint-8', 'final']],
    [0, ['best', 'checkpoint-2', 'checkpoint-4', 'checkpoint-5', 'checkpoint-6', 'checkpoint-8', 'final']],
    [1, ['best', 'checkpoint-8', 'final']],
  ])('save_total_limit %d keeps the newest ones, those saved by hand included, and best always', async (limit, expected) => {
    const config = toyConfig({ save_steps: 2, save_total_limit: limit, eval_steps: 3 });
    const saves: Promise<number>[] = [];
    const { writer, log } = await toyRun({
      id: `rotation-${limit}`,
      config,
      validation: toySamples(3),
      prepare: ({ model, run }) => {
        model.beforeMicroBatch = (count) => void (count === 10 && saves.push(run.control.saveNow()));
      },
    });
    expect(await saves[0]).toBe(5);
    expect(log.best_checkpoint).not.toBeNull();
    expect(Object.keys(writer.directories).sort()).toEqual(expected);
  });

  it('hold PEFT files, the optimizer under PyTorch names, and a trainer_state.json with the keys of transformers', async () => {
    const { writer, log } = await toyRun({ id: 'contents', config: toyConfig({ save_steps: 6, logging_steps: 2, eval_steps: 3 }), validation: toySamples(2) });
    const files = await writer.readDirectory('checkpoint-6');
    expect([...files.keys()].sort()).toEqual(['adapter_config.json', 'adapter_model.safetensors', 'optimizer.safetensors', 'trainer_state.json']);
    const tensors = async (name: string) => [...(await SafetensorsFile.open(new Blob([files.get(name)!.slice()]), name)).tensors.keys()].sort();
    expect(await tensors('adapter_model.safetensors')).toEqual(['base_model.model.model.toy.lora_A.weight', 'base_model.model.model.toy.lora_B.weight']);
    expect(await tensors('optimizer.safetensors')).toEqual(['A.weight.exp_avg', 'A.weight.exp_avg_sq', 'B.weight.exp_avg', 'B.weight.exp_avg_sq'].map((name) => `model.toy.lora_${name}`));
    const text = new TextDecoder().decode(files.get('trainer_state.json'));
    const state = JSON.parse(text) as Record<string, unknown> & { log_history: { step: number }[] };
    for (const key of [
      'best_global_step', 'best_metric', 'best_model_checkpoint', 'epoch', 'eval_steps', 'global_step', 'is_hyper_param_search', 'is_local_process_zero',
      'is_world_process_zero', 'log_history', 'logging_steps', 'max_steps', 'num_input_tokens_seen', 'num_train_epochs', 'save_steps', 'stateful_callbacks',
      'total_flos', 'train_batch_size', 'trial_name', 'trial_params',
    ]) expect(state, key).toHaveProperty(key);
    expect(state).toMatchObject({ global_step: 6, epoch: 2, max_steps: 9, best_global_step: 3 });
    expect(state.log_history.map(({ step }) => step)).toEqual([0, 1, 2, 3, 4, 6]);
    expect(Object.keys(state)).toEqual(Object.keys(state).sort());
    expect(log.val_history.map(({ step }) => step)).toEqual([0, 3, 6, 9]);
  });

  it.each([1.5, -1, 2 ** 60, 1e29, Number.NaN, null, '7'])('are refused at step %j', (step) => {
    const totals = { window: { loss: 1, weight: 2, tokens: 3, steps: 4, milliseconds: 5, metrics: {} }, loss: 1, tokens: 2, samples: 3, elapsedMilliseconds: 4 };
    const written = JSON.parse(new TextDecoder().decode(writeTrainerState({ step: 7, dataFingerprint: 'x', totals }, { config: toyConfig(), epoch: 1, totalSteps: 10, best: null, rows: [] }))) as object;
    const bytes = (changes: object) => new TextEncoder().encode(JSON.stringify({ ...written, ...changes }));
    expect(readTrainerState(bytes({}), 'x').step).toBe(7);
    expect(() => readTrainerState(bytes({ global_step: step }), 'x')).toThrow(expect.objectContaining({ code: 'file-corrupt', place: { file: 'x', field: 'global_step' } }));
  });

  it('fall back to the one before when the newest is damaged, say so, and end in the same place', async () => {
    const config = toyConfig({ save_steps: 3, logging_steps: 1 });
    const whole = await toyRun({ id: 'undamaged', config });
    const stopped = await toyRun({ id: 'damaged', config, prepare: stopAt(9) });
    const { resume } = stopped.writer.directories;
    expect(resume.step).toBe(5);
    await commit({ put: [[keyOf.file('damaged', resume.token, 'optimizer.safetensors'), new Blob([new Uint8Array(1000)])]] });
    const resumed = await toyRun({ id: 'damaged', config, resume: true });
    expect(resumed.status).toBe('finished');
    expect(resumed.log.notices[0].message).toMatch(/^resume could not be read and was passed over: .*checksum differs/);
    expect(timeless(resumed.log.train_history)).toEqual(timeless(whole.log.train_history));
    expect((await resumed.writer.readDirectory('final')).get('adapter_model.safetensors')).toEqual((await whole.writer.readDirectory('final')).get('adapter_model.safetensors'));
  });

  it('once passed over are not gone on from, though they can be read again: the rows before them are gone', async () => {
    const config = toyConfig({ save_steps: 3, logging_steps: 1 });
    const whole = await toyRun({ id: 'never-unreadable', config });
    const stopped = await toyRun({ id: 'unreadable', config, prepare: stopAt(9) });
    const { resume } = stopped.writer.directories;
    const key = keyOf.file('unreadable', resume.token, 'optimizer.safetensors');
    const good = await read<Blob>(key);
    await commit({ put: [[key, new Blob([new Uint8Array(1000)])]] });
    const interrupted = await buildToyRun({ id: 'unreadable', config, resume: true });
    expect(await interrupted.run.restore()).toBe(3);
    // The tab is closed before a step is done.
    await commit({ put: [[key, good]] });
    const again = await buildToyRun({ id: 'unreadable', config, resume: true });
    expect(isResumable('resume', again.writer.directories.resume)).toBe(false);
    expect(await again.run.restore()).toBe(3);
    const resumed = await toyRun({ id: 'unreadable', config, resume: true });
    expect(resumed.status).toBe('finished');
    expect(timeless(resumed.log.train_history)).toEqual(timeless(whole.log.train_history));
    expect(resumed.writer.directories['checkpoint-6'].passedOver).toBeUndefined();
  });

  it('are read once more before they are passed over', async () => {
    await toyRun({ id: 'moment', config: toyConfig({ save_steps: 3 }), prepare: stopAt(9) });
    const { run, writer } = await buildToyRun({ id: 'moment', config: toyConfig({ save_steps: 3 }), resume: true });
    const readWell = writer.readDirectory.bind(writer);
    let reads = 0;
    writer.readDirectory = (name) => (++reads === 1 ? Promise.reject(new DOMException('Internal error', 'UnknownError')) : readWell(name));
    expect(await run.restore()).toBe(5);
    expect(reads).toBe(2);
  });

  it('refuse to resume when none can be read', async () => {
    await toyRun({ id: 'hopeless', prepare: stopAt(3) });
    const run = await buildToyRun({ id: 'hopeless', resume: true });
    const { token } = run.writer.directories.resume;
    await commit({ remove: [keyOf.file('hopeless', token, 'trainer_state.json')] });
    await expect(run.run.restore()).rejects.toMatchObject({ code: 'resume', message: expect.stringContaining('trainer_state.json is missing') as string });
  });

  it('never take the place of a good state while the adapter holds NaN', async () => {
    const { status, writer, events } = await toyRun({
      id: 'poisoned',
      config: toyConfig({ save_steps: 4 }),
      prepare: ({ model }) => {
        const original = model.readAdapter.bind(model);
        let reads = 0;
        model.readAdapter = async () => {
          const tensors = await original();
          if (++reads === 2) tensors[0].data[3] = Number.NaN;
          return tensors;
        };
      },
    });
    expect(status).toBe('failed');
    expect(events.find((event) => event.type === 'failed')).toMatchObject({ error: { code: 'not-finite', place: { field: 'model.toy.lora_A.weight' } } });
    expect(Object.keys(writer.directories)).toEqual(['resume']);
  });

  it('are saved by the clock too, less often where saving takes long', async () => {
    let now = 0;
    const saves: number[] = [];
    await toyRun({
      id: 'clock',
      config: toyConfig({ max_steps: 120 }),
      clock: () => now,
      prepare: ({ model, run }) => {
        model.beforeMicroBatch = () => void (now += 2_000);
        const read = model.readOptimizer.bind(model);
        model.readOptimizer = () => {
          saves.push(run.stepsDone);
          now += 5_000;
          return read();
        };
      },
    });
    // 4 s a step: the first save after 30 s; from then on 5 s of saving may take a twentieth of the time.
    expect(saves.slice(0, 3)).toEqual([0, 25, 50]);
  });
});

describe('a full disk', () => {
  it('pauses the training and goes on where it was once there is room', async () => {
    const config = toyConfig({ logging_steps: 1, save_steps: 4 });
    const whole = await toyRun({ id: 'roomy', config });
    let makeRoom = () => {};
    const { status, log, events, writer } = await toyRun({
      id: 'tight',
      config,
      prepare: ({ run, model, events: seen }) => {
        model.beforeMicroBatch = (count) => {
          if (count === 4) makeRoom = fillDisk((key) => Array.isArray(key) && key[1] === 'tight');
        };
        const watch = setInterval(() => {
          if (statuses(seen).at(-1) !== 'paused') return;
          clearInterval(watch);
          makeRoom();
          run.control.continue();
        }, 1);
      },
    });
    expect(status).toBe('finished');
    expect(statuses(events)).toContain('paused');
    expect(log.notices[0]).toMatchObject({ level: 'error', message: expect.stringContaining('no room left') as string });
    expect(writer.directories).toHaveProperty('checkpoint-4');
    expect(timeless((await readLog('tight')).train_history)).toEqual(timeless(whole.log.train_history));
  });

  it('damages nothing stored when the user gives up', async () => {
    const { status, events, writer } = await toyRun({
      id: 'given-up',
      config: toyConfig({ save_steps: 2 }),
      prepare: ({ run, model, events: seen }) => {
        model.beforeMicroBatch = (count) => {
          if (count === 6) fillDisk((key) => Array.isArray(key) && key[1] === 'given-up');
        };
        const watch = setInterval(() => {
          if (statuses(seen).at(-1) !== 'paused') return;
          clearInterval(watch);
          run.control.stop();
        }, 1);
      },
    });
    vi.restoreAllMocks();
    expect(status).toBe('failed');
    expect(events.find((event) => event.type === 'failed')).toMatchObject({ error: { code: 'storage-full' } });
    expect((await writer.readDirectory('checkpoint-2')).size).toBe(4);
    const resumed = await toyRun({ id: 'given-up', config: toyConfig({ save_steps: 2 }), resume: true });
    expect(resumed.status).toBe('finished');
  });
});
