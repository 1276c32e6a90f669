import { describe, expect, it } from 'vitest';
import { rewardCall } from '../../../src/objectives/rewards/custom.ts';
import type { FromRewardWorker, RewardOutcome, ToRewardWorker } from '../../../src/protocol/reward-messages.ts';
import { CustomReward, type RewardWorkerLike } from '../../../src/session/custom-reward.ts';

const call = (completion: string) => rewardCall(completion, { prompt: '', truth: '' });

/** Answers as the real worker does, with what `judge` says; null = never. */
function workers(judge: (message: Extract<ToRewardWorker, { kind: 'score' }>) => RewardOutcome | null, loadFault: Extract<FromRewardWorker, { kind: 'loaded' }>['fault'] = null, spent = false) {
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
        if (outcome) send({ kind: 'scored', id: message.id, outcome, spent });
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

  it('ends a worker whose interpreter is spent, and keeps what it said', async () => {
    const { create, started } = workers(() => good(1), null, true);
    expect(await new CustomReward({ source: 's' }, create).score(['a', 'b'].map(call))).toMatchObject({ outcomes: [{ reward: 1 }, { reward: 1 }] });
    expect(started.map(({ ended }) => ended)).toEqual([true, true]);
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
