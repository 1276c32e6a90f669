import vm from 'node:vm';
import { describe, expect, it } from 'vitest';
import { rewardCall } from '../../../src/objectives/rewards/custom.ts';
import type { FromRewardWorker, RewardOutcome, ToRewardWorker } from '../../../src/protocol/reward-messages.ts';
import { CustomReward, type RewardWorkerLike } from '../../../src/session/custom-reward.ts';
import { closeDoors, lockFunctionConstructors, seededRandom } from '../../../src/session/reward-sandbox.ts';

const call = (completion: string) => rewardCall(completion, { prompt: '', truth: '' });

/** Answers as the real worker does, with what `judge` says; null = never. */
function workers(judge: (message: Extract<ToRewardWorker, { kind: 'score' }>) => RewardOutcome | null, loadFault: Extract<FromRewardWorker, { kind: 'loaded' }>['fault'] = null) {
  const started: { ended: boolean; seeds: number[] }[] = [];
  const create = (): RewardWorkerLike => {
    const state = { ended: false, seeds: [] as number[] };
    started.push(state);
    let hear: (event: { data: FromRewardWorker }) => void = () => {};
    const send = (data: FromRewardWorker) => queueMicrotask(() => hear({ data }));
    return {
      postMessage(message) {
        if (message.kind === 'load') return send({ kind: 'loaded', fault: loadFault });
        state.seeds.push(message.seed);
        const outcome = judge(message);
        if (outcome) send({ kind: 'scored', id: message.id, outcome });
      },
      terminate: () => (state.ended = true),
      addEventListener(type: string, listener: unknown) {
        if (type !== 'message') return;
        hear = listener as typeof hear;
        send({ kind: 'ready' });
      },
    };
  };
  return { create, started };
}

const good = (reward: number): RewardOutcome => ({ reward, fault: null });

describe('CustomReward', () => {
  it('scores in order, keeps its worker, and counts faults', async () => {
    const { create, started } = workers(({ call: { completion } }) => (completion === 'bad' ? { reward: null, fault: 'nan', message: 'NaN' } : good(completion.length)));
    const reward = new CustomReward({ source: 's' }, create);
    expect(await reward.score(['a', 'bad', 'ccc', 'bad'].map(call))).toMatchObject({ outcomes: [{ reward: 1 }, { fault: 'nan' }, { reward: 3 }, { fault: 'nan' }], faults: { nan: 2 } });
    await reward.score([call('a')]);
    expect(started).toHaveLength(1);
    reward.close();
    expect(started[0].ended).toBe(true);
  });

  it('ends a worker that overruns and goes on with the next completion in a new one', async () => {
    const { create, started } = workers(({ call: { completion } }) => (completion === 'slow' ? null : good(1)));
    const batch = await new CustomReward({ source: 's', limitMs: 20 }, create).score(['a', 'slow', 'b'].map(call));
    expect(batch).toMatchObject({ outcomes: [{ reward: 1 }, { reward: null, fault: 'slow' }, { reward: 1 }], faults: { slow: 1 } });
    expect(started.map(({ ended }) => ended)).toEqual([true, false]);
  });

  it('gives each completion the same seed, whether or not the worker was restarted', async () => {
    const steady = workers(() => good(1));
    const broken = workers(({ call: { completion } }) => (completion === 'slow' ? null : good(1)));
    for (const { create } of [steady, broken]) await new CustomReward({ source: 's', limitMs: 20, seed: 5 }, create).score(['a', 'slow', 'b'].map(call));
    const seeds = ({ started }: typeof steady) => started.flatMap((state) => state.seeds);
    expect(seeds(broken)).toEqual(seeds(steady));
    expect(new Set(seeds(steady)).size).toBe(3);
  });

  it('reports a source that cannot be loaded for every completion, without trying again within the batch', async () => {
    const { create, started } = workers(() => good(1), { message: 'SyntaxError: x', place: { line: 2, column: 3 } });
    const batch = await new CustomReward({ source: 's' }, create).score(['a', 'b'].map(call));
    expect(batch.faults).toEqual({ source: 2 });
    expect(batch.outcomes[1]).toEqual({ reward: null, fault: 'source', message: 'SyntaxError: x', place: { line: 2, column: 3 } });
    expect(started).toHaveLength(1);
  });
});

describe('the sandbox', () => {
  it('closes the doors of the scope and of its prototypes for good', () => {
    class Base {
      fetch() {}
      postMessage() {}
    }
    const scope = Object.assign(Object.create(new Base()) as Record<string, unknown>, { indexedDB: {}, harmless: 1 });
    closeDoors(scope);
    for (const name of ['fetch', 'postMessage', 'indexedDB', 'WebSocket', 'eval']) {
      expect(scope[name]).toBeUndefined();
      expect(Reflect.set(scope, name, 1)).toBe(false);
      expect(Reflect.deleteProperty(scope, name)).toBe(false);
    }
    expect(Base.prototype.fetch).toBeUndefined();
    expect(scope.harmless).toBe(1);
  });

  it('leaves no way to make functions from text', () => {
    const code = ['(() => 1)', '(async () => 1)', '(function* () {})', '(async function* () {})', 'Object', 'class {}'].map((maker) => `typeof (${maker}).constructor`);
    expect(vm.runInNewContext(`(${lockFunctionConstructors.toString()})(); [${code.join()}].join()`)).toBe(new Array(6).fill('undefined').join());
  });

  it('has random numbers that the seed decides', () => {
    const draw = (seed: number) => Array.from({ length: 1000 }, seededRandom(seed));
    expect(draw(1)).toEqual(draw(1));
    expect(draw(1)).not.toEqual(draw(2));
    expect(draw(1).every((x) => x >= 0 && x < 1)).toBe(true);
    expect(draw(1).reduce((sum, x) => sum + x, 0) / 1000).toBeCloseTo(0.5, 1);
  });
});
