import { describe, expect, test } from 'vitest';
import { windowOrder } from '../../../src/families/qwen2-5-vl/windows.ts';
import type { GridTHW } from '../../../src/families/media.ts';
import { readJson, readTensors } from '../processing/fixtures.ts';

const config = { windowSize: 56, spatialMergeSize: 2, patchSize: 14 };

test('windows begin at the top left, those at the edges are smaller', () => {
  // 3 × 5 merged patches in windows of 2 × 2.
  const { order, inverse, windowBounds } = windowOrder([[1, 6, 10]], config);
  expect([...order]).toEqual([0, 1, 5, 6, 2, 3, 7, 8, 4, 9, 10, 11, 12, 13, 14]);
  expect([...windowBounds]).toEqual([0, 16, 32, 40, 48, 56, 60]);
  expect([...order.map((patch) => inverse[patch])]).toEqual([...order.keys()]);
});

test('frames and pictures follow each other and share no window', () => {
  const grids: GridTHW[] = [[2, 4, 6], [1, 2, 2]];
  const { order, windowBounds } = windowOrder(grids, config);
  expect([...order]).toEqual([0, 1, 3, 4, 2, 5, 6, 7, 9, 10, 8, 11, 12]);
  expect([...windowBounds]).toEqual([0, 16, 24, 40, 48, 52]);
});

test('a picture of one window keeps its order', () => {
  expect(windowOrder([[1, 4, 4]], config)).toEqual({ order: Int32Array.of(0, 1, 2, 3), inverse: Int32Array.of(0, 1, 2, 3), windowBounds: Int32Array.of(0, 16) });
  expect([...windowOrder([], config).windowBounds]).toEqual([0]);
});

describe.each(['one_image', 'two_images'])('%s', (name) => {
  test('the patches enter the first block in this order', () => {
    const tensors = readTensors('qwen2_5_vl/cases/windows.safetensors');
    const { image_grid_thw } = readJson(`qwen2_5_vl/cases/${name}.json`);
    const { order } = windowOrder(image_grid_thw, config);
    const embedded = tensors[`${name}/vision.patch_embed`].data;
    const unit = 4 * tensors[`${name}/vision.patch_embed`].shape[1];
    const reordered = new Float32Array(embedded.length);
    order.forEach((patch, place) => reordered.set(embedded.subarray(patch * unit, (patch + 1) * unit), place * unit));
    expect(order).not.toEqual(order.toSorted());
    expect(reordered).toEqual(tensors[`${name}/vision.block_in.0`].data);
  });
});
