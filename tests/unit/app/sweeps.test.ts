/** A sweep from its start to its end, with everything that can come between. */
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { resultRows } from '../../../src/app/sweep/results.ts';
import { LorikeetError } from '../../../src/protocol/errors.ts';
import type { TrainingConfigInput } from '../../../src/protocol/config.ts';
import type { SweepAxis, SweepDefinition } from '../../../src/protocol/sweep.ts';
import { readLog } from '../../../src/storage/runs.ts';
import { demoConfig, demoFiles } from '../session/fake-engine.ts';
import { never } from '../training/toy-run.ts';
import { PretendVisit, type PageState } from './pretend-page.ts';

const STEPS = 3;
const RATES: SweepAxis = { key: 'learning_rate', kind: 'list', values: [0.01, 0.02, 0.03] };
const define = (axis: SweepAxis = RATES): SweepDefinition => ({ name: 'rates', search: 'grid', seed: 1, maxRuns: 20, axes: [axis] });
const base = (change: TrainingConfigInput = {}) => demoConfig({ max_steps: STEPS, eval_steps: 0, save_steps: 1, ...change });
const data = (count = 4) => ({ kind: 'files' as const, train: demoFiles(count), validation: [] });

let visit: PretendVisit;
let page: PageState;

/** Model and data loaded, settings made. */
async function prepare(change: TrainingConfigInput = {}): Promise<void> {
  page.settings.adopt(base(change));
  await page.model.load({ kind: 'demo' }, base(change));
  await page.dataset.load(data(), base(change));
}

async function start(definition = define()): Promise<string> {
  const id = await page.sweeps.start(definition);
  if (id === null) throw new Error(page.sweeps.errorOf(null)?.message ?? 'The sweep was refused.');
  return id;
}

/** Waits until this tab runs no sweep. */
const rest = () => vi.waitUntil(() => page.sweeps.running === null, { timeout: 20_000, interval: 5 });
const until = (condition: () => boolean) => vi.waitUntil(condition, { timeout: 20_000, interval: 2 });
const sweep = (id: string) => page.sweeps.find(id)!;
const states = (id: string) => sweep(id).runs.map(({ state }) => state);
const rowStates = (id: string) => resultRows(sweep(id), page.runs.list, false).map(({ state }) => state);

/** A gate in the training: `reached` once the run stands before this micro-batch, until `open` is called. */
function gateAt(run: number, microBatch: number): { reached: Promise<void>; open: () => void } {
  let open: () => void = () => undefined;
  let arrive: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  const reached = new Promise<void>((resolve) => (arrive = resolve));
  visit.onMicroBatch = (n, count) => {
    if (n !== run || count !== microBatch) return undefined;
    arrive();
    return opened;
  };
  return { reached, open };
}

const failIn = (run: number, error: Error) => {
  visit.onMicroBatch = (n, count) => {
    if (n === run && count === 1) throw error;
  };
};

beforeEach(async () => {
  visit = await PretendVisit.begin();
  page = await visit.open();
  // The first page of all compiles the whole state.
}, 60_000);

describe('a sweep', () => {
  it('trains the planned runs in their order, tags them, and gives the settings back', async () => {
    await prepare();
    const id = await start();
    expect(sweep(id)).toMatchObject({ state: 'running', model: null, dataset: 'files', adapter: null });
    await rest();
    expect(sweep(id).state).toBe('finished');
    const runs = sweep(id).runs.map(({ runId }) => page.runs.find(runId!)!);
    expect(runs.map(({ config, status, step, tags }) => [config.learning_rate, status, step, tags])).toEqual([0.01, 0.02, 0.03].map((rate) => [rate, 'finished', STEPS, ['rates']]));
    expect(runs.map(({ name }) => name)).toEqual(['rates 1: learning_rate 0.01', 'rates 2: learning_rate 0.02', 'rates 3: learning_rate 0.03']);
    expect(page.settings.config?.learning_rate).toBe(base().learning_rate);
    expect(page.sweeps.waiting).toBeUndefined();
  });

  it('is refused as a whole where one combination is invalid, and says which', async () => {
    page.settings.adopt(demoConfig({ method: 'grpo-trl', num_generations: 4, per_device_train_batch_size: 4, gradient_accumulation_steps: 1 }));
    await page.model.load({ kind: 'demo' }, page.settings.config!);
    await page.dataset.load(data(), page.settings.config!);
    expect(await page.sweeps.start(define({ key: 'num_generations', kind: 'list', values: [2, 3, 4] }))).toBeNull();
    expect(page.sweeps.errorOf(null)).toMatchObject({ code: 'config', place: { field: 'num_generations' }, message: expect.stringMatching(/^Run 2 \(num_generations 3\): .*does not divide/) });
    await page.sweeps.refresh();
    expect(page.sweeps.list).toEqual([]);
  });

  it('does not begin while a run is under way', async () => {
    await prepare();
    const gate = gateAt(0, 0);
    const done = page.session.start('alone');
    await gate.reached;
    await done;
    expect(await page.sweeps.start(define())).toBeNull();
    await page.sweeps.refresh();
    expect(page.sweeps.list).toEqual([]);
    gate.open();
  });
});

describe('a run that fails', () => {
  it('is marked with its reason, and the next one begins', async () => {
    await prepare();
    failIn(1, new LorikeetError('not-finite', 'The loss of step 2 is NaN.'));
    const id = await start();
    await rest();
    expect(states(id)).toEqual(['done', 'failed', 'done']);
    expect(sweep(id).runs[1].error).toMatchObject({ code: 'not-finite', message: 'The loss of step 2 is NaN.' });
    expect(sweep(id).state).toBe('finished');
    expect(visit.workers).toHaveLength(1);
  });

  it.each([
    ['out of memory', () => failIn(0, new LorikeetError('out-of-memory', 'No room for step 2.')), 'out-of-memory'],
    ['with its worker', () => (visit.onMicroBatch = (n, count) => (n === 0 && count === 1 ? (visit.workers[0].crash('killed'), never()) : undefined)), 'internal'],
  ])('%s gives the next one a fresh worker, model and data loaded again', async (_how, arrange, code) => {
    await prepare();
    arrange();
    const id = await start(define({ ...RATES, values: [0.01, 0.02] }));
    await rest();
    expect(states(id)).toEqual(['failed', 'done']);
    expect(sweep(id).runs[0].error?.code).toBe(code);
    expect(visit.workers).toHaveLength(2);
  });

  it('before it begins, for want of samples, is marked as well', async () => {
    await prepare();
    const id = await start(define({ key: 'max_length', kind: 'list', values: [16, 256] }));
    await rest();
    expect(states(id)).toEqual(['failed', 'done']);
    expect(sweep(id).runs[0]).toMatchObject({ runId: null, error: { code: 'dataset' } });
  });

  it('for a reason that every run would meet pauses the sweep, which tries it again', async () => {
    await prepare();
    failIn(1, new LorikeetError('storage-full', 'There is no room for a checkpoint.'));
    const id = await start();
    await rest();
    expect(sweep(id).state).toBe('paused');
    expect(page.sweeps.errorOf(id)?.code).toBe('storage-full');
    expect(page.sweeps.errorOf(null)).toBeNull();
    expect(rowStates(id)).toEqual(['done', 'interrupted', 'waiting']);
    visit.onMicroBatch = () => undefined;
    await page.sweeps.continue(id);
    expect(states(id)).toEqual(['done', 'done', 'done']);
    expect(page.sweeps.errorOf(id)).toBeNull();
  });
});

describe('pausing', () => {
  it('lets the present run end, and waits until it is continued', async () => {
    await prepare();
    const gate = gateAt(0, 1);
    const id = await start();
    await gate.reached;
    await page.sweeps.pause(id);
    expect(page.sweeps.offered).toBeUndefined();
    gate.open();
    await rest();
    expect([sweep(id).state, ...states(id)]).toEqual(['paused', 'done', 'waiting', 'waiting']);
    expect(page.sweeps.offered?.id).toBe(id);
    page.sweeps.dismissed = id;
    expect([page.sweeps.offered, page.sweeps.waiting?.id]).toEqual([undefined, id]);
    await page.sweeps.continue(id);
    expect([sweep(id).state, ...states(id)]).toEqual(['finished', 'done', 'done', 'done']);
    expect(page.runs.list).toHaveLength(3);
  });

  it('can be taken back, and during the last run changes nothing', async () => {
    await prepare();
    const first = gateAt(0, 1);
    const id = await start(define({ ...RATES, values: [0.01, 0.02] }));
    await first.reached;
    await page.sweeps.pause(id);
    await page.sweeps.continue(id);
    expect(sweep(id).state).toBe('running');
    const last = gateAt(1, 1);
    first.open();
    await last.reached;
    await page.sweeps.pause(id);
    last.open();
    await rest();
    expect([sweep(id).state, ...states(id)]).toEqual(['finished', 'done', 'done']);
  });

  it('follows when the user stops a run', async () => {
    await prepare();
    const gate = gateAt(0, 1);
    const id = await start();
    await gate.reached;
    await until(() => !page.session.starting);
    await page.currentRun.command('stop');
    gate.open();
    await rest();
    expect([sweep(id).state, ...states(id)]).toEqual(['paused', 'stopped', 'waiting', 'waiting']);
  });
});

describe('stopping', () => {
  it('ends the present run and leaves out the rest, which can still be taken up', async () => {
    await prepare();
    const gate = gateAt(0, 1);
    const id = await start();
    await gate.reached;
    await until(() => states(id)[0] === 'running' && !page.session.starting);
    await page.sweeps.stop(id);
    gate.open();
    await rest();
    expect([sweep(id).state, ...states(id)]).toEqual(['stopped', 'stopped', 'waiting', 'waiting']);
    expect(rowStates(id)).toEqual(['stopped', 'leftOut', 'leftOut']);
    expect(page.runs.list[0]).toMatchObject({ status: 'stopped', step: 2 });
    expect(page.sweeps.waiting).toBeUndefined();
    await page.sweeps.continue(id);
    expect([sweep(id).state, ...states(id)]).toEqual(['finished', 'stopped', 'done', 'done']);
  });

  it.each([
    ['before the first run is being started', () => true],
    ['while the first run is being started', () => page.session.starting],
  ])('%s lets none be trained', async (_when, moment) => {
    await prepare();
    const id = await start();
    await until(moment);
    await page.sweeps.stop(id);
    await rest();
    expect(sweep(id).state).toBe('stopped');
    expect(states(id)).not.toContain('done');
    expect(page.runs.list.filter(({ status }) => status === 'finished')).toEqual([]);
  });

  it('a paused sweep takes its note away', async () => {
    await prepare();
    const gate = gateAt(0, 0);
    const id = await start();
    await gate.reached;
    await page.sweeps.pause(id);
    gate.open();
    await rest();
    await page.sweeps.stop(id);
    expect(sweep(id).state).toBe('stopped');
    expect(page.sweeps.waiting).toBeUndefined();
  });
});

describe('after a reload in its second run', () => {
  let id: string;

  async function cutOff(): Promise<void> {
    const gate = gateAt(1, 2);
    id = await start();
    await gate.reached;
    await until(() => states(id)[1] === 'running');
    page = await visit.open();
    visit.onMicroBatch = () => undefined;
    await Promise.all([page.sweeps.refresh(), page.runs.refresh()]);
    expect(page.sweeps.offered?.id).toBe(id);
    expect(rowStates(id)).toEqual(['done', 'interrupted', 'waiting']);
  }

  it('the sweep goes on by itself with the same model, data and run', async () => {
    await prepare();
    await cutOff();
    const half = sweep(id).runs[1].runId!;
    expect([page.model.summary, page.dataset.summary]).toEqual([null, null]);
    await page.sweeps.continue(id);
    expect(page.sweeps.errorOf(id)).toBeNull();
    expect([sweep(id).state, ...states(id)]).toEqual(['finished', 'done', 'done', 'done']);
    expect(sweep(id).runs[1].runId).toBe(half);
    expect(page.runs.list).toHaveLength(3);
    const log = await readLog(half);
    expect(log.train_history.map(({ step }) => step)).toEqual([1, 2, 3]);
    expect(log.notices.map(({ message }) => message)).toEqual(['Resumed after step 2.']);
    expect(page.dataset.summary?.trainSamples).toBe(4);
  });

  it('a run that was finished alone meanwhile is not trained again', async () => {
    await prepare();
    await cutOff();
    await page.session.resume(page.runs.find(sweep(id).runs[1].runId!)!);
    await until(() => page.currentRun.run?.status === 'finished');
    expect(page.sweeps.waiting?.id).toBe(id);
    const trained = visit.runs;
    await page.dataset.load(data(), base());
    await page.sweeps.continue(id);
    expect(states(id)).toEqual(['done', 'done', 'done']);
    expect(visit.runs - trained).toBe(1);
  });

  it('a deleted run is trained anew if it was not done, and only then', async () => {
    await prepare();
    await cutOff();
    const [done, half] = sweep(id).runs.map(({ runId }) => page.runs.find(runId ?? '')!);
    await page.runs.remove(done);
    await page.runs.remove(half);
    expect(rowStates(id)).toEqual(['deleted', 'waiting', 'waiting']);
    await page.dataset.load(data(), base());
    await page.sweeps.continue(id);
    expect(rowStates(id)).toEqual(['deleted', 'done', 'done']);
    expect(page.runs.list.map(({ step }) => step)).toEqual([STEPS, STEPS]);
  });

  it('other data, or another model, is refused, and nothing is lost', async () => {
    await prepare();
    await cutOff();
    await page.model.load({ kind: 'demo' }, base());
    await page.dataset.load(data(6), base());
    await page.sweeps.continue(id);
    expect(page.sweeps.errorOf(id)).toMatchObject({ code: 'resume', place: { field: 'dataset' } });
    await page.dataset.load({ kind: 'demo' }, base());
    await page.sweeps.continue(id);
    expect(page.sweeps.errorOf(id)).toMatchObject({ code: 'resume', place: { field: 'dataset' } });
    expect([sweep(id).state, ...states(id)]).toEqual(['paused', 'done', 'running', 'waiting']);
    page.model.source = { kind: 'files', name: 'other', files: [] };
    await page.sweeps.continue(id);
    expect(page.sweeps.errorOf(id)).toMatchObject({ code: 'resume', place: { field: 'model' } });
    await prepare();
    await page.sweeps.continue(id);
    expect(states(id)).toEqual(['done', 'done', 'done']);
  });

  it('each run still starts from the adapter that was chosen', async () => {
    await prepare();
    await page.startingAdapter.choose({ kind: 'demo' });
    expect(page.startingAdapter.error).toBeNull();
    await cutOff();
    await page.sweeps.continue(id);
    const notices = await Promise.all(sweep(id).runs.map(async ({ runId }) => (await readLog(runId!)).notices.map(({ key }) => key)));
    expect(notices).toEqual([['startedFrom'], ['startedFrom', 'resumed'], ['startedFrom']]);
  });
});

describe('another tab', () => {
  it('that runs the sweep keeps this one from it, and what it did is not done again', async () => {
    await prepare();
    const gate = gateAt(0, 0);
    const id = await start();
    await gate.reached;
    await page.sweeps.pause(id);
    gate.open();
    await rest();
    const before = sweep(id);

    let closeTab: () => void = () => undefined;
    const closed = new Promise<void>((resolve) => (closeTab = resolve));
    const tab = visit.browser.locks.request(`lorikeet-run-${id}`, {}, () => closed);
    await page.sweeps.refresh();
    expect([page.sweeps.isElsewhere(id), page.sweeps.waiting]).toEqual([true, undefined]);
    for (const action of ['continue', 'stop', 'remove'] as const) {
      await page.sweeps[action](id);
      expect(page.sweeps.errorOf(id)?.code, action).toBe('run-locked');
      expect(sweep(id)).toEqual(before);
    }
    const { saveSweep } = await import('../../../src/storage/sweeps.ts');
    await saveSweep({ ...before, runs: before.runs.map((run, i) => (i < 2 ? { ...run, state: 'done' } : run)) });
    closeTab();
    await tab;
    const trained = visit.runs;
    await page.sweeps.continue(id);
    expect(states(id)).toEqual(['done', 'done', 'done']);
    expect(visit.runs - trained).toBe(1);
  });
});

describe('another tab with a sweep of its own', () => {
  const otherTab = async () => {
    const { takeTurn } = await import('../../../src/storage/locks.ts');
    const release = await takeTurn(() => undefined, new AbortController().signal);
    if (!release) throw new Error('The turn was refused.');
    return release;
  };

  it('trains its run first; this one waits for its turn', async () => {
    await prepare();
    const release = await otherTab();
    const id = await start(define({ ...RATES, values: [0.01, 0.02] }));
    await until(() => page.sweeps.queued);
    expect([visit.runs, states(id)]).toEqual([0, ['waiting', 'waiting']]);
    await release();
    await rest();
    expect([visit.runs, states(id), page.sweeps.queued]).toEqual([2, ['done', 'done'], false]);
  });

  it.each([['pause', 'paused'], ['stop', 'stopped']] as const)('need not be waited for: %s', async (action, state) => {
    await prepare();
    const release = await otherTab();
    const id = await start();
    await until(() => page.sweeps.queued);
    await page.sweeps[action](id);
    await rest();
    expect([sweep(id).state, visit.runs, page.sweeps.queued]).toEqual([state, 0, false]);
    await release();
    await page.sweeps.continue(id);
    expect([visit.runs, states(id)]).toEqual([3, ['done', 'done', 'done']]);
  });

  it('gets its turn between two runs of this one', async () => {
    await prepare();
    const gate = gateAt(0, 0);
    const id = await start(define({ ...RATES, values: [0.01, 0.02] }));
    await gate.reached;
    const turn = otherTab();
    gate.open();
    const release = await turn;
    await until(() => page.sweeps.queued);
    expect(states(id)).toEqual(['done', 'waiting']);
    await release();
    await rest();
    expect(states(id)).toEqual(['done', 'done']);
  });
});

it('forgets a sweep, keeps its runs, and takes it back', async () => {
  await prepare();
  const id = await start(define({ ...RATES, values: [0.01] }));
  await rest();
  await page.sweeps.remove(id);
  expect(page.sweeps.list).toEqual([]);
  expect(page.runs.list).toHaveLength(1);
  page.toasts.list.at(-1)?.action?.run();
  await until(() => page.sweeps.list.length === 1);
  expect(states(id)).toEqual(['done']);
});
