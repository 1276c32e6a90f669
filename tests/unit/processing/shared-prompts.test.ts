import { describe, expect, it } from 'vitest';
import { stillOf } from '../../../src/families/media.ts';
import { ropePositions } from '../../../src/families/positions.ts';
import { withCompletion } from '../../../src/processing/completion.ts';
import { packSamples, type PackSettings } from '../../../src/processing/pack.ts';
import { Processor } from '../../../src/processing/processor.ts';
import { groupByPrompt, sharedTokens } from '../../../src/processing/shared-prompts.ts';
import { sliceBatch } from '../../../src/processing/slice-batch.ts';
import { IGNORE_INDEX, type EncodedSample, type GridTHW } from '../../../src/processing/types.ts';
import { architectureOf, sideFiles } from './fixtures.ts';

const IMAGE = 9;
const settings: PackSettings = { padId: 7, patches: { patchSize: 2, temporalPatchSize: 2, mergeSize: 2, imageMean: [0.5, 0.5, 0.5], imageStd: [0.5, 0.5, 0.5] }, bucket: 8 };

function prompt(ids: number[], grids: GridTHW[] = []): EncodedSample & { reads: number } {
  const made = {
    id: 'p',
    inputIds: Int32Array.from(ids),
    labels: new Int32Array(ids.length).fill(IGNORE_INDEX),
    labelTokens: 0,
    ...ropePositions(ids, grids.map(stillOf), { imageTokenId: IMAGE, videoTokenId: null, spatialMergeSize: 2 }, null),
    media: grids.map(stillOf),
    visionRows: Int32Array.from(ids.flatMap((id, row) => (id === IMAGE ? [row] : []))),
    reads: 0,
    pixels: (i: number) => {
      made.reads++;
      return Promise.resolve([{ pixels: new Uint8Array(grids[i][1] * grids[i][2] * 12), height: grids[i][1] * 2, width: grids[i][2] * 2 }]);
    },
  };
  return made;
}

const answer = (to: EncodedSample, ids: number[]) => withCompletion(to, ids, { imageTokenId: IMAGE });
const pairs = (values: ArrayLike<number>) => Array.from({ length: values.length / 2 }, (_, row) => [values[2 * row], values[2 * row + 1]]);

describe('a batch of answers that share their prompts', () => {
  it('lays each prompt down once, with its answers after it', async () => {
    const picture = prompt([1, IMAGE, IMAGE, 2], [[1, 2, 4]]);
    const plain = prompt([3, 4]);
    // Two answers to each prompt, as pairs come: first sides, then second ones; and one prompt with one answer.
    const samples = [answer(picture, [10, 11]), answer(plain, [12]), answer(prompt([5]), [13]), answer(picture, [14]), answer(plain, [15, 16])];
    const batch = await packSamples(samples, { ...settings, prompts: [0, 1, 2, 0, 1] });
    expect(batch).toMatchObject({ tokenCount: 14, rowCount: 16, sampleCount: 5, grids: [[1, 2, 4]] });
    expect([...batch.inputIds]).toEqual([1, 9, 9, 2, 10, 11, 14, 3, 4, 12, 15, 16, 5, 13, 7, 7]);
    expect(pairs(batch.bounds)).toEqual([[0, 7], [0, 7], [0, 7], [0, 7], [4, 6], [4, 6], [6, 7], [7, 12], [7, 12], [9, 10], [10, 12], [10, 12], [12, 14], [12, 14], [14, 15], [15, 16]]);
    expect(pairs(batch.prefixes!)).toEqual([[0, 0], [0, 0], [0, 0], [0, 0], [0, 4], [0, 4], [0, 4], [7, 7], [7, 7], [7, 9], [7, 9], [7, 9], [12, 12], [12, 12], [14, 14], [15, 15]]);
    // Each answer goes on where the prompt's positions end.
    expect([...batch.positionIds.subarray(0, 14)]).toEqual([0, 1, 1, 3, 4, 5, 4, 0, 1, 2, 2, 3, 0, 1]);
    expect([...batch.visionRows]).toEqual([1, 2]);
    expect(picture.reads).toBe(1);
    expect(batch.pixelValues).toHaveLength(8 * 24);
    // Sample by sample; the last row of a prompt predicts the first token of each of its answers.
    expect([...batch.targetSample]).toEqual([0, 0, 1, 2, 3, 4, 4]);
    expect([...batch.targetRows]).toEqual([3, 4, 8, 12, 3, 8, 10]);
    expect([...batch.targetIds]).toEqual([10, 11, 12, 13, 14, 15, 16]);
    expect(() => sliceBatch(batch, 1, 2, 2)).toThrow(/share a prompt/);
  });

  it('is that of copies where no two samples have the same prompt', async () => {
    const samples = [answer(prompt([1, 2]), [3]), answer(prompt([4]), [5, 6])];
    const copies = await packSamples(samples, settings);
    expect(await packSamples(samples, { ...settings, prompts: [0, 1] })).toEqual(copies);
    expect(copies.prefixes).toBeUndefined();
  });
});

describe('what samples share', () => {
  const asked = prompt([1, 2, 3]);

  it('ends before the first label of any, though answers begin alike', () => {
    expect(sharedTokens([answer(asked, [4, 5, 6]), answer(asked, [4, 5, 7])])).toBe(3);
    expect(groupByPrompt([answer(asked, [4]), answer(asked, [5])], [8, 8])).toEqual([{ members: [0, 1], shared: 3 }]);
  });

  it('ends where ids or positions differ', () => {
    const other = answer(prompt([1, 2, 8]), [4]);
    expect(sharedTokens([answer(asked, [4]), other])).toBe(2);
    const moved = { ...answer(asked, [4]), positionIds: answer(asked, [4]).positionIds.map((position, i) => position + Number(i === 9)) };
    expect(sharedTokens([answer(asked, [4]), moved]), 'the width of the second token').toBe(1);
  });

  it('is nothing where pictures are not all within it, or not the same', () => {
    const small = prompt([1, IMAGE, 2], [[1, 2, 2]]);
    expect(sharedTokens([answer(small, [4]), answer(small, [5])])).toBe(3);
    const turned = { ...small, media: [stillOf([1, 1, 4])] };
    expect(sharedTokens([answer(small, [4]), answer(turned, [5])])).toBe(0);
    const later = prompt([1, 2, IMAGE], [[1, 2, 2]]);
    const before = { ...answer(later, [4]), labels: Int32Array.of(IGNORE_INDEX, 2, IGNORE_INDEX, 4) };
    expect(sharedTokens([before, before])).toBe(0);
    expect(groupByPrompt([before, before], [0, 0])).toEqual([{ members: [0], shared: 0 }, { members: [1], shared: 0 }]);
  });
});

describe.each([['qwen2_vl', true], ['qwen2_5_vl', true], ['qwen3_vl', true], ['qwen3_5', false]])('prompts of %s', (family, shares) => {
  it(shares ? 'are shared' : 'are copied: the state of its recurrent layers goes on with one answer only', async () => {
    const folder = `${family}/checkpoint`;
    const processor = await Processor.fromFiles(sideFiles(folder), architectureOf(folder));
    expect(processor.sharesPrompts).toBe(shares);
    const say = (role: 'user' | 'assistant', text: string) => ({ role, content: [{ type: 'text' as const, text }] });
    const encode = (text: string) => processor.encodeSample({ id: 's', conversation: [say('user', 'a or b?'), say('assistant', text)], media: [] }, { maxLength: 99, maxImageSize: 0, assistantTurns: 'last' });
    const samples = [await encode('a'), await encode('b, I think')];
    const batch = await processor.pack(samples, [0, 0]);
    expect(batch.prefixes !== undefined).toBe(shares);
    const copies = samples.reduce((sum, { inputIds }) => sum + inputIds.length, 0);
    expect(batch.tokenCount).toBe(shares ? copies - sharedTokens(samples) : copies);
    if (shares) expect(sharedTokens(samples)).toBe(samples[0].labels.findIndex((label) => label !== IGNORE_INDEX));
  });
});
