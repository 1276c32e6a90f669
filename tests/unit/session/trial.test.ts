import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { TrainingConfigInput } from '../../../src/protocol/config.ts';
import { LorikeetError } from '../../../src/protocol/errors.ts';
import type { PathFile, RunPlan } from '../../../src/protocol/messages.ts';
import { pretendBrowser } from '../storage/pretend-browser.ts';
import type { ToyModel } from '../training/toy-model.ts';
import { demoConfig, fakeSession, fetchPublic } from './fake-engine.ts';

/** So many samples at once, all layers kept, that the demo's own shapes are worth a trial. */
const HEAVY: TrainingConfigInput = { max_steps: 1, per_device_train_batch_size: 48, gradient_checkpointing: false, eval_steps: 0 };

beforeEach(() => {
  pretendBrowser();
  vi.stubGlobal('fetch', fetchPublic);
});
afterEach(() => vi.unstubAllGlobals());

async function prepared(input: TrainingConfigInput, prepare?: (toy: ToyModel) => void, train?: PathFile[]) {
  const made = fakeSession(prepare);
  const config = demoConfig(input);
  await made.session.handle({ type: 'openDevice', power: 'high-performance' });
  await made.session.handle({ type: 'loadModel', source: { kind: 'demo' }, config });
  await made.session.handle({ type: 'loadDataset', source: train ? { kind: 'files', train, validation: [] } : { kind: 'demo' }, config });
  return { ...made, config };
}

async function trained(runId: string, input: TrainingConfigInput, prepare?: (toy: ToyModel) => void, train?: PathFile[]) {
  const made = await prepared(input, prepare, train);
  const finished = made.next('finished');
  await made.session.handle({ type: 'start', runId, name: runId, config: made.config });
  return { ...made, log: (await finished).log };
}

describe('a start', () => {
  it('tries the largest samples before step 1 and tells what it measured', async () => {
    const { events, models, log } = await trained('tried', HEAVY);
    const { calls } = models.at(-1)!;
    expect(calls.filter((call) => call === 'rehearse')).toHaveLength(1);
    expect(calls.indexOf('trim')).toBeLessThan(calls.indexOf('rehearse'));
    expect(calls.indexOf('rehearse')).toBeLessThan(calls.indexOf('forwardBackward'));
    const tried = events.findIndex((event) => event.type === 'tried');
    const found = events[tried];
    if (found.type !== 'tried' || !found.outcome.fits) throw new Error('nothing was told');
    const { plan } = found.outcome;
    expect(plan).toMatchObject({ measured: true, memory: { total: 3_100_000_000 + 4 * plan.trainableParameters } });
    expect(tried).toBeLessThan(events.findIndex(({ type }) => type === 'train'));
    expect(log.notices!.find(({ key }) => key === 'largestFit')!.message).toMatch(/^The largest samples were tried: they fit in 3\.1 GB; about [\d.]+ s a step, [\d.]+ min for the run\.$/);
  });

  it('leaves small runs alone', async () => {
    const { events, models } = await trained('small', { max_steps: 2, eval_steps: 0 });
    expect(models.at(-1)!.calls).not.toContain('rehearse');
    expect(events.some(({ type }) => type === 'tried')).toBe(false);
  });

  it('that does not fit ends before any row, with settings that need less; the next one may begin', async () => {
    const fault = new LorikeetError('out-of-memory', 'The GPU ran out of memory.', 'Lower the batch size.');
    let faults = 1;
    const { session, events, models, config, next } = await prepared(HEAVY, (toy) => (toy.rehearsalFault = faults-- > 0 ? fault : null));
    await expect(session.handle({ type: 'start', runId: 'heavy', name: 'heavy', config })).rejects.toMatchObject({ code: 'out-of-memory' });
    const tried = events.find((event) => event.type === 'tried');
    if (tried?.type !== 'tried' || tried.outcome.fits) throw new Error('nothing was told');
    const { alternatives, neededBytes } = tried.outcome;
    expect(neededBytes).toBeGreaterThan(2 ** 28);
    expect(alternatives.map(({ settings }) => settings)).toContainEqual({ per_device_train_batch_size: 1, gradient_accumulation_steps: 48 });
    for (const { bytes } of alternatives) expect(bytes).toBeLessThan(neededBytes);
    expect(models.at(-1)!.calls.slice(-2)).toEqual(['rehearse', 'trim']);
    expect(events.some(({ type }) => type === 'train' || type === 'status')).toBe(false);

    const finished = next('finished');
    const lighter = { ...config, ...alternatives[0].settings, max_steps: 1 };
    await session.handle({ type: 'start', runId: 'lighter', name: 'lighter', config: lighter });
    expect((await finished).log.train_history).toHaveLength(1);
  });

  it('asks a method that samples for its longest answers and ends them early', async () => {
    let wanted = 0;
    const { events, models } = await trained('sampled', { method: 'grpo', reward_scheme: 'demo', loss_type: 'grpo', max_steps: 1, per_device_train_batch_size: 8, num_generations: 4, max_completion_length: 200, gradient_checkpointing: false, eval_steps: 0 }, (toy) => {
      const generate = toy.generate.bind(toy);
      toy.generate = (prompts, deltas, options) => {
        wanted = Math.max(wanted, options.maxNewTokens);
        return generate(prompts, deltas, options);
      };
    });
    const { calls } = models.at(-1)!;
    expect(calls.slice(0, 3)).toEqual(['trim', 'generate', 'rehearse']);
    expect(wanted).toBe(200);
    expect(events.some((event) => event.type === 'tried')).toBe(true);
  });

  it('tries both sides of a pair together', async () => {
    const { models } = await trained('pairs', { ...HEAVY, method: 'dpo', per_device_train_batch_size: 32 });
    expect(models.at(-1)!.calls).toContain('rehearse');
  });

  it('tries the largest of the samples that are known where they are encoded one by one', async () => {
    const records = Array.from({ length: 2200 }, (_, i) => ({ id: `t${i}`, conversations: [{ from: 'human', value: `Say ${i}.` }, { from: 'gpt', value: 'word '.repeat(i === 1234 ? 150 : 40) }] }));
    const { events, models } = await trained('gradual', { ...HEAVY, max_steps: 1, per_device_train_batch_size: 160 }, undefined, [{ path: 'train.json', file: new Blob([JSON.stringify(records)]) }]);
    expect(events.some((event) => event.type === 'tried')).toBe(true);
    const [{ bounds, tokenCount }] = models.at(-1)!.rehearsed;
    const lengths = Array.from({ length: tokenCount }, (_, row) => bounds[2 * row + 1] - bounds[2 * row]);
    expect(Math.max(...lengths)).toBeGreaterThan(130);
  });
});

describe('a plan', () => {
  it('knows after a run how fast the run was', async () => {
    const { session, config } = await trained('first', { max_steps: 4, eval_steps: 0 });
    const plan = (await session.handle({ type: 'plan', config })) as RunPlan;
    const before = (await (await prepared({ max_steps: 4, eval_steps: 0 })).session.handle({ type: 'plan', config })) as RunPlan;
    // The toy is faster than the 1 GFLOP/s that its engine speaks of.
    expect(plan.stepSeconds!).toBeLessThan(before.stepSeconds! / 2);
    expect(plan.memory).toEqual(before.memory);
  });
});
