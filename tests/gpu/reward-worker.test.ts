/** The real sandboxed worker: what a user's reward can do in it, and what it cannot. */
import { afterEach, describe, expect, it } from 'vitest';
import { rewardCall } from '../../src/objectives/rewards/custom.ts';
import { CustomReward } from '../../src/session/custom-reward.ts';

const call = rewardCall('abc', '', '', {});
let open: CustomReward | null = null;
const score = (body: string, limitMs = 2000, count = 1) => {
  open = new CustomReward({ source: `async function reward({ completion }) { ${body} }`, limitMs });
  return open.score(new Array<typeof call>(count).fill(call));
};

afterEach(() => open?.close());

describe('the reward worker', () => {
  it('runs the function', async () => expect((await score('return completion.length;')).outcomes).toEqual([{ reward: 3, fault: null }]));

  it('reports what throws, what returns nothing, and what cannot be read', async () => {
    expect((await score('throw new Error("no");')).outcomes[0]).toMatchObject({ fault: 'threw', message: 'Error: no (line 1)' });
    expect((await score('')).faults).toEqual({ undefined: 1 });
    expect((await score('return (')).faults).toEqual({ source: 1 });
  });

  it('is ended when a loop never ends, and comes back', async () => {
    const { outcomes } = await score('if (!globalThis.seen) { globalThis.seen = 1; return 1; } for (;;);', 300, 3);
    expect(outcomes.map(({ fault }) => fault)).toEqual([null, 'slow', null]);
  });

  it('reaches no network, storage, thread or message, and makes no code from text', async () => {
    const names = ['fetch', 'XMLHttpRequest', 'WebSocket', 'EventSource', 'importScripts', 'indexedDB', 'caches', 'navigator', 'Worker', 'BroadcastChannel', 'MessageChannel', 'postMessage', 'addEventListener', 'eval', 'Function', 'URL'];
    const body = `const names = ${JSON.stringify(names)}; return names.filter((name) => self[name] !== undefined).length + Number((() => 1).constructor !== undefined);`;
    expect((await score(body)).outcomes).toEqual([{ reward: 0, fault: null }]);
  });

  it('draws the same random numbers each time', async () => {
    const first = (await score('return Math.random();', 2000, 2)).outcomes;
    expect((await score('return Math.random();', 2000, 2)).outcomes).toEqual(first);
    expect(first[0]).not.toEqual(first[1]);
  });
});
