import 'fake-indexeddb/auto';
import { describe, expect, it } from 'vitest';
import { learningRateAt, warmupSteps } from '../../../src/training/schedule.ts';
import { toySamples } from './toy-model.ts';
import { buildToyRun, never, timeless, toyConfig, toyRun } from './toy-run.ts';

const bits = (tensors: readonly { data: Float32Array }[]) => tensors.map(({ data }) => [...new Uint32Array(data.buffer, data.byteOffset, data.length)]);

describe('TrainingRun', () => {
  it('trains: the loss falls, every step is counted, the log has first, every seventh and last step', async () => {
    const { status, log, events, method } = await toyRun({ id: 'plain', config: toyConfig({ num_train_epochs: 20, logging_steps: 7 }) });
    expect(method.plan.stepsPerEpoch).toBe(3);
    expect(status).toBe('finished');
    expect(log.train_history.map((row) => row.step)).toEqual([1, 7, 14, 21, 28, 35, 42, 49, 56, 60]);
    expect(log.train_history[9].loss).toBeLessThan(0.5 * log.train_history[0].loss);
    expect(log.train_history[9]).toMatchObject({ epoch: 20, samples: 220 });
    expect(log.final_metrics).toMatchObject({ step: 60, epoch: 20, best_metric: null, best_checkpoint: null });
    expect(events.at(-1)).toMatchObject({ type: 'finished' });
    expect(events.filter((event) => event.type === 'status').at(-1)).toMatchObject({ status: 'finished', step: 60, totalSteps: 60, secondsLeft: 0 });
  });

  it('steps the remainder of an epoch, as transformers does', async () => {
    const { model, log } = await toyRun({ id: 'remainder', config: toyConfig({ logging_steps: 1, num_train_epochs: 2 }) });
    const micro = model.calls.filter((call) => call === 'forwardBackward' || call === 'optimizerStep').map((call) => (call === 'forwardBackward' ? 'm' : 'S'));
    expect(micro.join('')).toBe('mmSmmSmmSmmSmmSmmS');
    expect(log.train_history.map((row) => row.epoch)).toEqual([2 / 6, 4 / 6, 1, 1 + 2 / 6, 1 + 4 / 6, 2]);
    const short = await toyRun({ id: 'remainder-9', samples: toySamples(9), config: toyConfig({ num_train_epochs: 2 }) });
    expect(short.model.calls.filter((call) => call === 'forwardBackward').length).toBe(10);
    expect(short.method.plan.totalSteps).toBe(6);
  });

  it('keeps at most two steps in flight and reads losses one step late', async () => {
    let submitted = 0;
    let read = 0;
    let most = 0;
    await toyRun({
      id: 'late',
      prepare: ({ model }) => {
        const original = model.optimizerStep.bind(model);
        model.optimizerStep = async (settings) => {
          const norm = await original(settings);
          most = Math.max(most, ++submitted - read);
          return {
            read: async () => {
              read += 1;
              return norm.read();
            },
          };
        };
      },
    });
    expect(submitted).toBe(9);
    expect(read).toBe(9);
    expect(most).toBe(2);
  });

  it('uses the schedule, warm-up and optimizer settings of the run', async () => {
    const config = toyConfig({ logging_steps: 1, lr_scheduler_type: 'cosine', warmup_ratio: 0.3 });
    const { log } = await toyRun({ id: 'schedule', config });
    const warmup = warmupSteps(9, 0.3);
    expect(warmup).toBe(3);
    expect(log.train_history.map((row) => row.learning_rate)).toEqual(Array.from({ length: 9 }, (_, step) => learningRateAt('cosine', step, 0.05, warmup, 9)));
    expect(log.train_history[0].learning_rate).toBe(0);
  });

  it('max_steps overrides epochs and goes on into further epochs', async () => {
    const { log } = await toyRun({ id: 'max-steps', config: toyConfig({ max_steps: 4, logging_steps: 1 }) });
    expect(log.train_history.at(-1)).toMatchObject({ step: 4, epoch: 1 + 2 / 6 });
  });

  it('is bit-identical with and without validation', async () => {
    const config = { logging_steps: 1 } as const;
    const without = await toyRun({ id: 'no-validation', config: toyConfig(config) });
    const off = await toyRun({ id: 'validation-off', config: toyConfig({ ...config, eval_steps: 0 }), validation: toySamples(4) });
    const on = await toyRun({ id: 'validation-on', config: toyConfig({ ...config, eval_steps: 2 }), validation: toySamples(4) });
    expect(on.log.val_history.map((row) => row.step)).toEqual([0, 2, 4, 6, 8, 9]);
    expect(off.log.val_history).toEqual([]);
    expect(off.model.calls).not.toContain('tokenNll');
    expect(timeless(off.log.train_history)).toEqual(timeless(without.log.train_history));
    expect(timeless(on.log.train_history)).toEqual(timeless(without.log.train_history));
    expect(bits(await on.model.readAdapter())).toEqual(bits(await without.model.readAdapter()));
  });

  it('continues bit for bit after being killed at any micro-batch', async () => {
    const config = toyConfig({ logging_steps: 2, eval_steps: 4, save_steps: 3, num_train_epochs: 4 });
    const validation = toySamples(3);
    const whole = await toyRun({ id: 'whole', config, validation });
    const wholeAdapter = bits(await whole.model.readAdapter());
    for (const killAt of [0, 1, 5, 6, 7, 13, 17, 23]) {
      const id = `killed-${killAt}`;
      const killed = await buildToyRun({ id, config, validation });
      await new Promise<void>((resolve) => {
        killed.model.beforeMicroBatch = (count) => {
          if (count !== killAt) return undefined;
          resolve();
          return never();
        };
        void killed.run.run();
      });
      await killed.writer.flush();
      const resumed = await toyRun({ id, config, validation, resume: true });
      expect(resumed.status, id).toBe('finished');
      expect(timeless(resumed.log.train_history), id).toEqual(timeless(whole.log.train_history));
      const losses = (log: typeof whole.log) => log.val_history.map(({ step, eval_loss }) => [step, eval_loss]);
      expect(losses(resumed.log), id).toEqual(losses(whole.log));
      expect(resumed.log.best_checkpoint, id).toEqual(whole.log.best_checkpoint);
      expect(bits(await resumed.model.readAdapter()), id).toEqual(wholeAdapter);
    }
  });

  it('pauses, saves, continues and stops between micro-batches without a trace in the numbers', async () => {
    const config = toyConfig({ logging_steps: 1 });
    const whole = await toyRun({ id: 'unpaused', config });
    let saved: Promise<number> | null = null;
    const paused = await toyRun({
      id: 'paused',
      config,
      prepare: ({ model, run, events }) => {
        model.beforeMicroBatch = (count) => {
          if (count === 4) run.control.pause();
          if (count === 7) saved = run.control.saveNow();
        };
        const continueWhenPaused = setInterval(() => {
          if (!events.some((event) => event.type === 'status' && event.status === 'paused')) return;
          clearInterval(continueWhenPaused);
          run.control.continue();
        }, 1);
      },
    });
    expect(paused.events.filter((event) => event.type === 'status').map((event) => event.status)).toContain('paused');
    expect(await saved).toBe(4);
    expect(paused.writer.directories).toHaveProperty('checkpoint-4');
    expect(timeless(paused.log.train_history)).toEqual(timeless(whole.log.train_history));
    expect(bits(await paused.model.readAdapter())).toEqual(bits(await whole.model.readAdapter()));
  });

  it('stops half-way, validates a last time, keeps final/ and can be resumed to the same end', async () => {
    const config = toyConfig({ logging_steps: 1, eval_steps: 100 });
    const validation = toySamples(3);
    const whole = await toyRun({ id: 'unstopped', config, validation });
    const stopped = await toyRun({
      id: 'stopped',
      config,
      validation,
      prepare: ({ model, run }) => {
        model.beforeMicroBatch = (count) => {
          if (count === 9) run.control.stop();
        };
      },
    });
    expect(stopped.status).toBe('stopped');
    expect(stopped.log.train_history.at(-1)?.step).toBe(5);
    expect(stopped.log.val_history.map((row) => row.step)).toEqual([0, 5]);
    expect(Object.keys(stopped.writer.directories).sort()).toEqual(['best', 'final', 'resume']);
    const resumed = await toyRun({ id: 'stopped', config, validation, resume: true });
    expect(resumed.status).toBe('finished');
    expect(timeless(resumed.log.train_history)).toEqual(timeless(whole.log.train_history));
    expect(bits(await resumed.model.readAdapter())).toEqual(bits(await whole.model.readAdapter()));
  });

  it('refuses to resume on other data', async () => {
    const first = await buildToyRun({ id: 'other-data' });
    first.model.beforeMicroBatch = (count) => (count === 5 ? first.run.control.stop() : undefined);
    await first.run.run();
    const second = await buildToyRun({ id: 'other-data', resume: true, dataFingerprint: 'another' });
    await expect(second.run.restore()).rejects.toMatchObject({ code: 'resume', place: { field: 'dataset' } });
  });

  it.each([['loss', Number.NaN], ['loss', Infinity], ['gradient norm', Number.NaN]])('stops at a %s of %d and keeps the state of the last good step', async (what, value) => {
    const id = `not-finite-${what}-${value}`;
    const config = toyConfig({ logging_steps: 1 });
    const reference = await toyRun({ id: `${id}-reference`, config, prepare: ({ model, run }) => {
      model.beforeMicroBatch = (count) => (count === 9 ? run.control.stop() : undefined);
    } });
    const { status, log, events, writer } = await toyRun({
      id,
      config,
      prepare: ({ model }) => {
        const poison = { read: () => Promise.resolve(value) };
        const forward = model.forwardBackward.bind(model);
        const step = model.optimizerStep.bind(model);
        let steps = 0;
        model.forwardBackward = async (...args) => {
          const loss = await forward(...args);
          return what === 'loss' && steps === 5 ? poison : loss;
        };
        model.optimizerStep = async (settings) => {
          const norm = await step(settings);
          return ++steps === 6 && what !== 'loss' ? poison : norm;
        };
      },
    });
    expect(status).toBe('failed');
    expect(log.train_history.map((row) => row.step)).toEqual([1, 2, 3, 4, 5]);
    const failed = events.find((event) => event.type === 'failed');
    expect(failed).toMatchObject({ error: { code: 'not-finite', message: `The ${what} became ${value} at step 6.` } });
    expect(writer.directories.resume.step).toBe(5);
    const [ours, expected] = await Promise.all([writer.readDirectory('resume'), reference.writer.readDirectory('resume')]);
    for (const file of ['adapter_model.safetensors', 'optimizer.safetensors']) expect(ours.get(file), file).toEqual(expected.get(file));
  });

  it('gets back to the last good step even where the fault shows between two micro-batches', async () => {
    const config = toyConfig({ logging_steps: 1 });
    const reference = await toyRun({ id: 'between-reference', config, prepare: ({ model, run }) => {
      model.beforeMicroBatch = (count) => (count === 9 ? run.control.stop() : undefined);
    } });
    let refused: unknown = null;
    const { status, writer } = await toyRun({
      id: 'between',
      config,
      prepare: ({ model, run }) => {
        let micro = 0;
        const forward = model.forwardBackward.bind(model);
        model.forwardBackward = async (...args) => {
          const loss = await forward(...args);
          micro += 1;
          // Asking for a save half-way through step 7 makes the loop read the figures of step 6 there.
          if (micro === 13) run.control.saveNow().catch((error: unknown) => (refused = error));
          return micro === 12 ? { read: () => Promise.resolve(Number.NaN) } : loss;
        };
      },
    });
    expect(status).toBe('failed');
    expect(refused).toMatchObject({ code: 'not-finite' });
    expect(writer.directories.resume.step).toBe(5);
    const [ours, expected] = await Promise.all([writer.readDirectory('resume'), reference.writer.readDirectory('resume')]);
    for (const file of ['adapter_model.safetensors', 'optimizer.safetensors']) expect(ours.get(file), file).toEqual(expected.get(file));
  });
});
