import { beforeEach, describe, expect, it } from 'vitest';
import type { TuningState } from '../../../src/protocol/tuning.ts';
import type { Engine } from '../../../src/session/engine.ts';
import { Tuning } from '../../../src/session/tuning.ts';
import { commit, keysUnder, read } from '../../../src/storage/database.ts';
import { fillDisk, pretendBrowser } from '../storage/pretend-browser.ts';
import { FakeChoices } from './fake-choices.ts';

beforeEach(async () => {
  pretendBrowser();
  await commit({ remove: [keysUnder('tuning')] });
});

/** A tuning of a device, and its states as they are told. */
function tuningOf(kernels: FakeChoices, { isFallback = false, adapter = 'a GPU' } = {}) {
  const states: TuningState[] = [];
  const engine = { device: { adapter, isFallback }, kernels, lost: new Promise(() => undefined) } as unknown as Engine;
  const tuning = new Tuning((state) => states.push(state));
  const settled = async () => {
    await expect.poll(() => states.at(-1)?.status, { timeout: 20_000 }).toBe('idle');
    return states.at(-1)!;
  };
  return { tuning, engine, states, settled };
}

describe('the tuning in the background', () => {
  it('goes through all classes by itself, tells how far it is, and what it finds is in force', async () => {
    const kernels = new FakeChoices();
    const { tuning, engine, states, settled } = tuningOf(kernels);
    await tuning.attach(engine);
    const last = await settled();
    expect(last).toMatchObject({ done: 3, total: 3 });
    expect(last.classes.map(({ key }) => key)).toEqual(kernels.classes);
    expect(states.filter(({ status }) => status === 'running').map(({ done }) => done)).toEqual([0, 1, 2]);
    expect(kernels.inForce).toEqual({ 'product: a': 'fast a', 'product: b': 'fast b', 'attention: c': 'fast c' });
  });

  it('finds what it found before on the next visit, on another device or with other kernels nothing', async () => {
    const first = tuningOf(new FakeChoices());
    await first.tuning.attach(first.engine);
    await first.settled();

    const again = new FakeChoices();
    const second = tuningOf(again);
    await second.tuning.attach(second.engine);
    expect(second.states).toHaveLength(1);
    expect(second.states[0]).toMatchObject({ status: 'idle', total: 0 });
    expect(Object.keys(again.inForce)).toHaveLength(3);
    expect(again.raced).toEqual([]);

    const other = new FakeChoices();
    const third = tuningOf(other, { adapter: 'another GPU' });
    await third.tuning.attach(third.engine);
    expect(other.inForce).toEqual({});
    await third.settled();

    const newer = Object.assign(new FakeChoices(), { version: 2 });
    const fourth = tuningOf(newer);
    await fourth.tuning.attach(fourth.engine);
    await fourth.settled();
    expect(newer.raced).toHaveLength(3);
    expect(await read(['tuning', 'a GPU', navigator.userAgent, 1, 'product: a'])).toBeUndefined();
  });

  it('leaves a CPU alone until it is asked', async () => {
    const kernels = new FakeChoices();
    const { tuning, engine, settled } = tuningOf(kernels, { isFallback: true });
    await tuning.attach(engine);
    expect((await settled()).classes).toEqual([]);
    await tuning.hold();
    await tuning.forget();
    tuning.release();
    expect((await settled()).classes).toHaveLength(3);
  });

  it('makes room within a form, and begins that class anew afterwards', async () => {
    const kernels = new FakeChoices();
    const { tuning, engine, states, settled } = tuningOf(kernels);
    let reached: () => void = () => undefined;
    let goOn: () => void = () => undefined;
    const second = new Promise<void>((resolve) => (reached = resolve));
    kernels.duringRace = (key) => {
      if (key !== 'product: b') return;
      reached();
      return new Promise((resolve) => (goOn = resolve));
    };
    await tuning.attach(engine);
    await second;
    const held = tuning.hold();
    kernels.duringRace = () => undefined;
    goOn();
    await held;
    expect(states.at(-1)).toMatchObject({ status: 'waiting', done: 1, total: 3 });
    // A run goes by its own choices.
    kernels.use({ 'product: a': 'its own' });
    expect(kernels.raced).toEqual(['product: a', 'product: b']);
    tuning.release();
    expect(kernels.inForce).toEqual({ 'product: a': 'fast a' });
    await settled();
    expect(kernels.raced).toEqual(['product: a', 'product: b', 'product: b', 'attention: c']);
    expect(Object.keys(kernels.inForce)).toHaveLength(3);
  });

  it('forgets and finds anew when asked', async () => {
    const kernels = new FakeChoices();
    const { tuning, engine, settled } = tuningOf(kernels);
    await tuning.attach(engine);
    await settled();
    await tuning.hold();
    await tuning.forget();
    tuning.release();
    expect(kernels.inForce).toEqual({});
    await settled();
    expect(kernels.raced).toHaveLength(6);
  });

  it('passes over a class that fails, and gives up one that took the GPU down twice', async () => {
    const kernels = new FakeChoices();
    const scope = ['tuning', 'a GPU', navigator.userAgent, 1] as const;
    await commit({ put: [[[...scope, 'product: a'], { attempts: 2, found: null }], [[...scope, 'attention: c'], 'spoilt']] });
    kernels.duringRace = (key) => {
      if (key === 'product: b') throw new Error('it does not compile');
    };
    const { tuning, engine, settled } = tuningOf(kernels);
    await tuning.attach(engine);
    expect((await settled()).classes.map(({ key }) => key)).toEqual(['attention: c']);
    expect(kernels.raced).toEqual(['product: b', 'attention: c']);
    expect(await read([...scope, 'product: b'])).toMatchObject({ attempts: 1, found: null });
  });

  it('works where nothing can be stored', async () => {
    const makeRoom = fillDisk(() => true);
    const kernels = new FakeChoices();
    const { tuning, engine, settled } = tuningOf(kernels);
    await tuning.attach(engine);
    expect((await settled()).classes).toHaveLength(3);
    makeRoom();
  });
});
