import { describe, expect, it } from 'vitest';
import { judgeReturn, rewardCall, rewardModule, runReward } from '../../../../src/objectives/rewards/custom.ts';
import { faultText, placeInStack, withinSource } from '../../../../src/objectives/rewards/fault-place.ts';

const nowhere = () => null;
const call = rewardCall('1. 路灯\n状态：不亮\n<box>(1,2),(3,4)</box>', { prompt: 'p', truth: '未检测到相关设备', extra: { id: 7 } });

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
    expect(await runReward(({ objects, truthObjects }) => objects.length - truthObjects.length, call, nowhere)).toEqual({ reward: 1, fault: null });
  });

  it('turns boxes in pixels into thousandths of the image', () => {
    const prompt = { prompt: 'p', truth: '1. 路灯\n状态：亮\n<box>(20,40),(100,200)</box>', imageSize: { width: 200, height: 400 } };
    const pixels = rewardCall('1. 路灯\n状态：亮\n<box>(10,40),(200,400)</box>', prompt, 'pixels');
    expect([pixels.objects[0].box, pixels.truthObjects[0].box]).toEqual([[50, 100, 1000, 1000], [100, 100, 500, 500]]);
    expect(() => rewardCall('x', { ...prompt, imageSize: undefined }, 'pixels')).toThrowError(expect.objectContaining({ code: 'config' }));
  });

  it('waits for promises and survives whatever is thrown', async () => {
    const wordless = { toString: () => ({}) };
    expect(await runReward(async () => 2, call, nowhere)).toEqual({ reward: 2, fault: null });
    for (const thrown of [new Error('no'), 'no', null, wordless]) {
      const outcome = await runReward(() => {
        throw thrown;
      }, call, nowhere);
      expect(outcome).toMatchObject({ reward: null, fault: 'threw' });
    }
  });

  it('says where the thrown error lies', async () => {
    const outcome = await runReward(() => {
      throw new TypeError('no');
    }, call, () => ({ line: 7, column: 11 }));
    expect(outcome).toEqual({ reward: null, fault: 'threw', message: 'TypeError: no', place: { line: 7, column: 11 } });
  });
});

describe('the place of a fault', () => {
  const address = 'blob:http://localhost/4f1a-22';
  const withStack = (stack: string) => Object.assign(new TypeError('no'), { stack });

  it('is the first frame of the loaded source, in the words of either browser', () => {
    const chromium = `TypeError: no\n    at Array.map (<anonymous>)\n    at reward (${address}:7:11)\n    at ${address}:9:1\n    at runReward (http://localhost/assets/reward.js:1:2)`;
    expect(placeInStack(withStack(chromium), address)).toEqual({ line: 7, column: 11 });
    expect(placeInStack(withStack(`reward@${address}:3:5\nrunReward@http://localhost/assets/reward.js:1:2\n`), address)).toEqual({ line: 3, column: 5 });
  });

  it('is unknown for another script, for an error without frames, and for what is no error', () => {
    expect(placeInStack(withStack('TypeError: no\n    at f (blob:http://localhost/4f1a-2:7:11)'), address)).toBeNull();
    expect(placeInStack(withStack(`TypeError: see ${address}: there`), address)).toBeNull();
    expect(placeInStack(withStack(''), address)).toBeNull();
    expect(placeInStack(`${address}:7:11`, address)).toBeNull();
  });

  it('never lies in what is appended to the source', () => {
    const source = 'function reward() {\n  return 1';
    expect(withinSource({ line: 2, column: 3 }, source)).toEqual({ line: 2, column: 3 });
    expect(withinSource({ line: 3, column: 1 }, source)).toEqual({ line: 2, column: 11 });
  });

  it('stands behind the message in logs, where it is known', () => {
    expect(faultText({ message: 'TypeError: no', place: { line: 7, column: 11 } })).toBe('TypeError: no (line 7, column 11)');
    expect(faultText({ message: 'No answer within 1000 ms.' })).toBe('No answer within 1000 ms.');
  });
});
