import { describe, expect, it } from 'vitest';
import { judgeReturn, rewardCall, rewardModule, runReward } from '../../../../src/objectives/rewards/custom.ts';

const call = rewardCall('1. 路灯\n状态：不亮\n<box>(1,2),(3,4)</box>', '未检测到相关设备', 'p', { id: 7 });

describe('rewardModule', () => {
  it('exports a declared function, and leaves a default export alone', () => {
    expect(rewardModule('function reward() { return 1; } // end')).toMatch(/\/\/ end\nexport default reward;\n$/);
    expect(rewardModule('const reward = () => 1;')).toContain('export default reward');
    expect(rewardModule('export default () => 1;')).toBe('export default () => 1;');
  });

  it.each(['', 'return 1', 'function other() {}', 'import "x"; function reward() {}', 'function reward() { return import("x"); }'])('refuses %j', (source) => {
    expect(() => rewardModule(source)).toThrowError(expect.objectContaining({ code: 'config' }));
  });
});

describe('judgeReturn', () => {
  it.each([[1, 1], [-0.5, -0.5], [null, null]])('accepts %j', (value, reward) => expect(judgeReturn(value)).toEqual({ reward, fault: null }));
  it.each([
    [undefined, 'undefined'],
    [NaN, 'nan'],
    [Infinity, 'infinite'],
    [-Infinity, 'infinite'],
    ['1', 'not-a-number'],
    [true, 'not-a-number'],
    [[1], 'not-a-number'],
  ])('names what is wrong with %j', (value, fault) => expect(judgeReturn(value)).toMatchObject({ reward: null, fault }));
});

describe('runReward', () => {
  it('gives the function the objects of both texts', async () => {
    expect(call).toMatchObject({ objects: [{ category: '路灯', status: '不亮', box: [1, 2, 3, 4] }], truthObjects: [], prompt: 'p', extra: { id: 7 } });
    expect(await runReward(({ objects, truthObjects }) => objects.length - truthObjects.length, call)).toEqual({ reward: 1, fault: null });
  });

  it('waits for promises and survives whatever is thrown', async () => {
    const wordless = { toString: () => ({}) };
    expect(await runReward(async () => 2, call)).toEqual({ reward: 2, fault: null });
    for (const thrown of [new Error('no'), 'no', null, wordless]) {
      const outcome = await runReward(() => {
        throw thrown;
      }, call);
      expect(outcome).toMatchObject({ reward: null, fault: 'threw' });
    }
  });
});
