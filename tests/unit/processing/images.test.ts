import { describe, expect, it } from 'vitest';
import { decodeImage, readImageSize } from '../../../src/processing/decode-image.ts';
import { patchify } from '../../../src/processing/patchify.ts';
import { prepareImage } from '../../../src/processing/prepare-image.ts';
import { parsePreprocessorConfig } from '../../../src/processing/preprocessor-config.ts';
import { resizeBicubic } from '../../../src/processing/resample.ts';
import { roundHalfToEven, shrinkToLongestEdge, smartResize } from '../../../src/processing/smart-resize.ts';
import { type Json, readBlob, readJson, readTensors } from './fixtures.ts';

const NAMES = ['a_rgb.png', 'b_rgba.png', 'c_gray.png', 'd_tiny.png', 'e_large.png'];
/** Folder -> the one whose pixels it shares: both Qwen2 families prepare images alike. */
const FAMILIES = [['qwen2_vl', 'qwen2_vl'], ['qwen2_5_vl', 'qwen2_vl'], ['qwen3_vl', 'qwen3_vl'], ['qwen3_5', 'qwen3_5']] as const;

describe.each(FAMILIES)('smartResize of %s', (family) => {
  const { cases } = readJson(`${family}/images/smart_resize.json`);

  it('has reference cases', () => expect(cases).toHaveLength(90));

  it.each(cases as Json[])('$height × $width', (c) => {
    const run = () => smartResize(c.height, c.width, { factor: c.factor, minPixels: c.min_pixels, maxPixels: c.max_pixels });
    if (c.resized === null) expect(run).toThrow(/at most 200 times/);
    else expect(run()).toEqual({ height: c.resized[0], width: c.resized[1] });
  });
});

describe('smartResize', () => {
  it('rounds halves to even', () => {
    expect([0.5, 1.5, 2.5, 3.5, 2.4999, 2.5001].map(roundHalfToEven)).toEqual([0, 2, 2, 4, 2, 3]);
  });

  it.each([
    [0, 5],
    [-3, 5],
    [1.5, 5],
    [NaN, 5],
    [1e300, 5],
  ])('refuses %d × %d', (height, width) => {
    expect(() => smartResize(height, width, { factor: 32, minPixels: 1, maxPixels: 10 })).toThrow(/no usable size/);
  });
});

describe('shrinkToLongestEdge', () => {
  it('only shrinks, keeps the ratio, drops fractions', () => {
    expect(shrinkToLongestEdge(100, 200, 512)).toEqual({ height: 100, width: 200 });
    expect(shrinkToLongestEdge(1000, 1999, 512)).toEqual({ height: 256, width: 511 });
    expect(shrinkToLongestEdge(3, 5000, 512)).toEqual({ height: 1, width: 512 });
    expect(shrinkToLongestEdge(3000, 5000, 0)).toEqual({ height: 3000, width: 5000 });
  });
});

describe.each(FAMILIES)('%s', (family, pixels) => {
  const config = parsePreprocessorConfig(readJson(`${family}/checkpoint/preprocessor_config.json`));
  const tensors = readTensors(`${pixels}/images/pixel_values.safetensors`);
  const meta = readJson(`${family}/images/images.json`);
  const file = (name: string) => readBlob(`qwen3_vl/images/${name}`);

  it.each(NAMES)('%s has the size its header says', async (name) => {
    const { height, width } = meta.images[name];
    expect(await readImageSize(file(name), name)).toEqual({ height, width });
  });

  it.each(NAMES)('%s is resized to exactly the reference pixels', async (name) => {
    const { resized_height, resized_width } = meta.images[name];
    const resized = resizeBicubic(await decodeImage(file(name), name), resized_height, resized_width);
    const expected = tensors[`${name}.torchvision_resized_u8`];
    expect([resized.height, resized.width, 3]).toEqual(expected.shape);
    expect(resized.pixels).toEqual(expected.data);
  });

  it.each(NAMES.filter((name) => `${name}.torchvision` in tensors))('%s gives the reference pixel_values and grid', async (name) => {
    const prepared = await prepareImage(file(name), name, config, 0);
    expect(prepared.vision.grid).toEqual(meta.torchvision_grid_thw[name]);
    const { pixelValues, grid } = patchify((await prepared.load())[0], config);
    const expected = tensors[`${name}.torchvision`];
    expect(grid).toEqual(meta.torchvision_grid_thw[name]);
    expect(pixelValues).toHaveLength(expected.data.length);
    expect(pixelValues).toEqual(expected.data);
  });
});
