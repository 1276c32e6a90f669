import { describe, expect, it } from 'vitest';
import { judgeReturn, rewardCall, rewardModule } from '../../../../src/objectives/rewards/custom.ts';
import { faultText, placeInStack, withinSource } from '../../../../src/objectives/rewards/fault-place.ts';

const call = rewardCall('1. 路灯\n状态：不亮\n<box>(1,2),(3,4)</box>', { prompt: 'p', truth: '未检测到相关设备', extra: { id: 7 } });

describe('rewardModule', () => {
  it('exports a declared function, and leaves a default export alone', () => {
    expect(rewardModule('function reward() { return 1; } // end')).toMatch(/\/\/ end\nexport default reward;\n$/);
    expect(rewardModule('const reward = () => 1;')).toContain('export default reward');
    expect(rewardModule('export default () => 1;')).toBe('export default () => 1;');
  });

  it.each(['', 'return 1', 'function other() {}'])('refuses %j', (source) => {
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

describe('rewardCall', () => {
  it('gives the function the objects of both texts', () => {
    expect(call).toMatchObject({ objects: [{ category: '路灯', status: '不亮', box: [1, 2, 3, 4] }], truthObjects: [], prompt: 'p', extra: { id: 7 } });
  });

  it('turns boxes in pixels into thousandths of the image', () => {
    const prompt = { prompt: 'p', truth: '1. 路灯\n状态：亮\n<box>(20,40),(100,200)</box>', imageSize: { width: 200, height: 400 } };
    const pixels = rewardCall('1. 路灯\n状态：亮\n<box>(10,40),(200,400)</box>', prompt, 'pixels');
    expect([pixels.objects[0].box, pixels.truthObjects[0].box]).toEqual([[50, 100, 1000, 1000], [100, 100, 500, 500]]);
    expect(() => rewardCall('x', { ...prompt, imageSize: undefined }, 'pixels')).toThrowError(expect.objectContaining({ code: 'config' }));
  });
});

describe('the place of a fault', () => {
  const file = 'reward.js';

  it('is the first frame of the user’s own file', () => {
    expect(placeInStack('    at map (native)\n    at reward (reward.js:7:11)\n    at <anonymous> (reward.js:9:1)\n', file)).toEqual({ line: 7, column: 11 });
    expect(placeInStack('    at reward.js:3:5\n', file)).toEqual({ line: 3, column: 5 });
  });

  it('is unknown for another file and for an error without frames', () => {
    expect(placeInStack('    at f (other.js:7:11)\n', file)).toBeNull();
    expect(placeInStack('    at f (reward.js: there)\n', file)).toBeNull();
    expect(placeInStack('', file)).toBeNull();
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
