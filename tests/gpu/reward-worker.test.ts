/** The real sandboxed worker: what a user's reward can do in it, and what it cannot. */
import { afterEach, describe, expect, it } from 'vitest';
import { rewardCall } from '../../src/objectives/rewards/custom.ts';
import { CustomReward } from '../../src/session/custom-reward.ts';

const call = rewardCall('abc', { prompt: '', truth: '' });
let open: CustomReward | null = null;
const score = (body: string, limitMs = 2000, count = 1) => {
  open = new CustomReward({ source: `async function reward({ completion }) { ${body} }`, limitMs });
  return open.score(new Array<typeof call>(count).fill(call));
};

afterEach(() => open?.close());

describe('the reward worker', () => {
  it('runs the function', async () => expect((await score('return completion.length;')).outcomes).toEqual([{ reward: 3, fault: null }]));

  it('reports what throws, what returns nothing, and what cannot be read', async () => {
    expect((await score('throw new Error("no");')).outcomes[0]).toMatchObject({ fault: 'threw', message: 'Error: no' });
    expect((await score('')).faults).toEqual({ undefined: 1 });
    expect((await score('return (')).faults).toEqual({ source: 1 });
  });

  it('finds faults in the lines and columns of the user’s own text', async () => {
    const faultOf = async (source: string) => {
      open = new CustomReward({ source });
      const [outcome] = (await open.score([call])).outcomes;
      open.close();
      return outcome;
    };
    expect(await faultOf('function reward() {\n  return [1].map((x) => x.y.z);\n}')).toMatchObject({ fault: 'threw', place: { line: 2, column: 28 } });
    expect(await faultOf('function reward() {\n  return (1 +;\n}')).toMatchObject({ fault: 'source', message: expect.stringContaining('SyntaxError'), place: { line: 2, column: 14 } });
    expect(await faultOf('export default () => {\n  const a = 1;\n  let a = 2;\n};')).toMatchObject({ fault: 'source', place: { line: 3, column: 9 } });
    // What is appended to the source must not show: neither in the position nor in the words.
    const unclosed = await faultOf('function reward() {\n  return 1;');
    expect(unclosed).toMatchObject({ fault: 'source', message: expect.stringMatching(/^SyntaxError: /), place: { line: 2, column: 12 } });
    expect(await faultOf('function reward() { return 1; }\nnull.x;')).toMatchObject({ fault: 'source', place: { line: 2, column: 5 } });
    expect(await faultOf('function reward() { return 1; }\nexport { reward as default };')).toEqual({ reward: 1, fault: null });
    expect(await faultOf('function reward() { throw "words"; }')).toEqual({ reward: null, fault: 'threw', message: 'words' });
  });

  it('is ended when a loop never ends, and comes back', async () => {
    const { outcomes } = await score('if (!globalThis.seen) { globalThis.seen = 1; return 1; } for (;;);', 300, 3);
    expect(outcomes.map(({ fault }) => fault)).toEqual([null, 'slow', null]);
  });

  it('is ended when one long operation hears no interruption', async () => {
    const { outcomes } = await score('const a = []; for (;;) a.push(new Array(100000).fill(1));', 300, 2);
    expect(outcomes).toEqual(new Array(2).fill({ reward: null, fault: 'slow', message: 'No answer within 300 ms.' }));
  });

  it('counts what memory and stack do not hold as the reward’s own fault, and comes back', async () => {
    expect((await score('if (globalThis.seen) return 1; globalThis.seen = 1; const big = "x".repeat(2 ** 20); const all = []; for (;;) all.push(big + all.length);', 8000, 2)).outcomes).toMatchObject([{ fault: 'threw', message: expect.stringContaining('memory') }, {}]);
    const { outcomes } = await score('const deep = () => deep() + 1; return completion.length === 3 && globalThis.once ? 1 : ((globalThis.once = 1), deep());', 2000, 2);
    expect(outcomes[0]).toMatchObject({ fault: 'threw' });
    expect(outcomes[1]).toEqual({ reward: 1, fault: null });
  });

  it('waits for promises, but not for one that nobody settles', async () => {
    expect((await score('await null; return (await Promise.all([1, 2])).length;')).outcomes).toEqual([{ reward: 2, fault: null }]);
    expect((await score('await new Promise(() => {});')).outcomes).toEqual([{ reward: null, fault: 'threw', message: 'The promise that the reward returned is never settled.' }]);
    expect((await score('const again = () => Promise.resolve().then(again); again(); await new Promise(() => {});', 300)).faults).toEqual({ slow: 1 });
  });

  it('keeps to its memory over many calls', async () => {
    const { faults } = await score('return JSON.stringify(new Array(2000).fill(completion)).length;', 2000, 3000);
    expect(faults).toEqual({});
  });

  it('draws the same random numbers each time', async () => {
    const first = (await score('return Math.random();', 2000, 2)).outcomes;
    expect((await score('return Math.random();', 2000, 2)).outcomes).toEqual(first);
    expect(first[0]).not.toEqual(first[1]);
  });
});
