import 'fake-indexeddb/auto';
import { describe, expect, it } from 'vitest';
import { readRunFiles } from '../../../src/storage/export-run.ts';
import { readAnswers } from '../../../src/storage/runs.ts';
import { batchesByLength } from '../../../src/training/evaluation.ts';
import { Validator } from '../../../src/training/validation.ts';
import type { AnswerTask } from '../../../src/training/validation.ts';
import { ToyModel, toySamples } from './toy-model.ts';
import { pack, toyConfig, toyRun } from './toy-run.ts';

const items = (count: number) => toySamples(count).map((sample, index) => ({ index, sample }));
const goOn = () => Promise.resolve(true);

const answerTask: AnswerTask = {
  stopIds: [0],
  metricNames: ['eval_share'],
  prompt: async ({ sample }) => ({
    encoded: { ...sample, inputIds: sample.inputIds.slice(0, 2), labels: sample.labels.slice(0, 2), positionIds: Int32Array.of(0, 1, 0, 1, 0, 1) },
    prompt: `count on from ${sample.inputIds[1]}`,
    truth: [...sample.inputIds.slice(2)].join(' '),
    truthBoxes: [],
    image: null,
  }),
  decode: (ids) => [...ids].join(' '),
  boxes: (answer) => [{ box: [0, 0, answer.length, 1], label: answer }],
  score: (pairs) => ({ eval_share: pairs.filter(({ truth, answer }) => answer.startsWith(truth.split(' ')[0])).length / pairs.length }),
};

describe('Validator', () => {
  it('weights the loss by tokens over all samples, whatever the batch size', async () => {
    const model = new ToyModel();
    const samples = items(7);
    const losses: number[] = [];
    for (const eval_batch_size of [1, 3, 7]) {
      const validator = new Validator(toyConfig({ eval_steps: 1, eval_num_samples: 0, eval_batch_size }), samples, pack, null);
      const result = await validator.run(model, { step: 1, epoch: 1, samples: 0 }, goOn, () => 0);
      losses.push(result!.row.eval_loss!);
      expect(result!.row.eval_samples).toBe(7);
    }
    const nll = await model.tokenNll(await pack(samples.map(({ sample }) => sample)));
    expect(losses[0]).toBeCloseTo(nll.reduce((sum, x) => sum + x, 0) / nll.length, 6);
    expect(losses[1]).toBe(losses[0]);
    expect(losses[2]).toBe(losses[0]);
  });

  it('generates answers, scores them and keeps what the untrained adapter said', async () => {
    const config = toyConfig({ eval_steps: 15, max_steps: 45, eval_batch_size: 2, max_new_tokens: 4, logging_steps: 15, metric_for_best_model: 'eval_share', greater_is_better: true });
    const { log, events } = await toyRun({ id: 'answers', config, validation: toySamples(5), answers: answerTask });
    const evaluations = events.filter((event) => event.type === 'validation');
    expect(evaluations.map((event) => event.row.step)).toEqual([0, 15, 30, 45]);
    const [first, , , last] = evaluations;
    expect(last.row.eval_share).toBeGreaterThan(Number(first.row.eval_share));
    expect(last.answers.map(({ before }) => before?.answer)).toEqual(first.answers.map(({ answer }) => answer));
    expect(first.answers.map(({ index }) => index)).toEqual([0, 1, 2, 3, 4]);
    expect(log.best_checkpoint).toMatchObject({ metric: 'eval_share', path: 'best' });
    expect(await readAnswers('answers')).toEqual(last.answers);
    const files = await readRunFiles('answers');
    const predictions = await files.find(({ path }) => path === 'val_predictions.jsonl')!.file.text();
    const lines = predictions.trim().split('\n').map((line) => JSON.parse(line) as { step: number; index: number; answer: string });
    expect(lines.length).toBe(20);
    expect(lines.filter(({ step }) => step === 45).map(({ answer }) => answer)).toEqual(last.answers.map(({ answer }) => answer));
  });

  it('decodes no more prompts at once than the model has room for', async () => {
    const model = new ToyModel();
    model.atOnce = 2;
    const validator = new Validator(toyConfig({ eval_steps: 1, eval_batch_size: 5, max_new_tokens: 4, metric_for_best_model: 'eval_share' }), items(5), pack, answerTask);
    const result = await validator.run(model, { step: 1, epoch: 1, samples: 0 }, goOn, () => 0);
    expect(model.calls.filter((call) => call === 'generateGreedy').length).toBe(3);
    expect(result!.answers.length).toBe(5);
  });

  it('keeps the first answers across a resume', async () => {
    const config = toyConfig({ eval_steps: 4, max_steps: 12, max_new_tokens: 4 });
    const options = { id: 'answers-resumed', config, validation: toySamples(3), answers: answerTask };
    const stopped = await toyRun({ ...options, prepare: ({ model, run }) => (model.beforeMicroBatch = (count) => (count === 14 ? run.control.stop() : undefined)) });
    const first = stopped.events.find((event) => event.type === 'validation')!.answers.map(({ answer }) => answer);
    const resumed = await toyRun({ ...options, resume: true });
    const last = resumed.events.filter((event) => event.type === 'validation').at(-1)!;
    expect(last.row.step).toBe(12);
    expect(last.answers.map(({ before }) => before?.answer)).toEqual(first);
  });

  it('refuses a metric that is not measured, naming those that are', () => {
    const config = toyConfig({ eval_steps: 1, metric_for_best_model: 'eval_f1' });
    expect(() => new Validator(config, items(2), pack, null)).toThrow('metric_for_best_model is "eval_f1", but this run measures eval_loss.');
    expect(() => new Validator(config, items(2), pack, answerTask)).toThrow(/eval_loss, eval_share/);
  });

  it('stops the run where the validation loss is not a number', async () => {
    const { status, events } = await toyRun({
      id: 'validation-nan',
      config: toyConfig({ eval_steps: 2 }),
      validation: toySamples(2),
      prepare: ({ model }) => {
        const original = model.tokenNll.bind(model);
        let calls = 0;
        model.tokenNll = async (batch) => (++calls > 1 ? (await original(batch)).fill(Number.NaN) : original(batch));
      },
    });
    expect(status).toBe('failed');
    expect(events.find((event) => event.type === 'failed')).toMatchObject({ error: { code: 'not-finite', message: 'The validation loss at step 2 is NaN.' } });
  });

  it('a second stop ends the last validation early', async () => {
    const { status, log } = await toyRun({
      id: 'impatient',
      config: toyConfig({ eval_steps: 100, eval_batch_size: 1, eval_on_start: false }),
      validation: toySamples(6),
      prepare: ({ model, run }) => {
        model.beforeMicroBatch = (count) => (count === 5 ? run.control.stop() : undefined);
        const original = model.tokenNll.bind(model);
        let calls = 0;
        model.tokenNll = (batch) => {
          if (++calls === 2) run.control.stop();
          return original(batch);
        };
      },
    });
    expect(status).toBe('stopped');
    expect(log.val_history).toEqual([]);
  });
});

describe('best', () => {
  const judge = (config: Parameters<typeof toyConfig>[0], values: number[]) => {
    const validator = new Validator(toyConfig({ eval_steps: 1, ...config }), items(1), pack, null);
    let best = null;
    for (const [i, eval_loss] of values.entries()) {
      best = validator.judge({ step: i, epoch: i, eval_loss, eval_runtime: 0, eval_samples: 1, time: '' }, best) ?? best;
    }
    return best;
  };

  it.each([
    ['lower is better; step 0 does not count', {}, [1, 5, 4, 4.5], 2, 4],
    ['the first of equals wins', {}, [9, 3, 3, 3], 1, 3],
    ['greater is better', { greater_is_better: true }, [9, 1, 3, 2], 2, 3],
    ['an improvement must exceed min_delta', { min_delta: 0.5 }, [9, 3, 2.6, 2.5, 2.4], 4, 2.4],
    ['values that are not numbers never win', {}, [9, Number.NaN, 3], 2, 3],
  ] as const)('%s', (_name, config, values, step, value) => {
    expect(judge(config, [...values])).toEqual({ step, epoch: step, metric: 'eval_loss', value, path: 'best' });
  });
});

describe('batchesByLength', () => {
  it('puts the longest first, ties in order', () => {
    expect(batchesByLength([3, 9, 3, 5], 2)).toEqual([[1, 3], [0, 2]]);
    expect(batchesByLength([], 2)).toEqual([]);
  });
});
