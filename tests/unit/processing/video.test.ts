import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Architecture, ModelConfig } from '../../../src/families/architecture.ts';
import { ropePositions, type TemporalStep } from '../../../src/families/positions.ts';
import { FAMILIES } from '../../../src/families/registry.ts';
import type { Conversation } from '../../../src/processing/conversation.ts';
import { orderFrames } from '../../../src/processing/frame-folder.ts';
import { patchTimes, sampleFrames, secondsPerPatch, timeStamp } from '../../../src/processing/frame-sampling.ts';
import { patchifyInto, patchLength } from '../../../src/processing/patchify.ts';
import { prepareClip } from '../../../src/processing/prepare-clip.ts';
import { Processor, type SampleInput } from '../../../src/processing/processor.ts';
import { sliceBatch } from '../../../src/processing/slice-batch.ts';
import { smartResizeClip } from '../../../src/processing/smart-resize.ts';
import type { VideoOptions } from '../../../src/processing/video-config.ts';
import { LorikeetError } from '../../../src/protocol/errors.ts';
import type { Media } from '../../../src/protocol/media.ts';
import type { PathFile } from '../../../src/protocol/messages.ts';
import { architectureOf, type Json, pictures, readBlob, readJson, sideFiles } from './fixtures.ts';

const STEPS: Readonly<Record<string, TemporalStep | null>> = { qwen2_vl: () => 1, qwen2_5_vl: (seconds) => Math.trunc(seconds) * 2, qwen3_vl: null, qwen3_5: null };

/** The family's own description where there is one, else as much of it as processing needs. */
function architecture(family: string): Architecture {
  if (FAMILIES.some(({ modelType }) => modelType === family)) return architectureOf(`${family}/checkpoint`);
  const raw = readJson(`${family}/checkpoint/config.json`);
  const config = {
    imageTokenId: raw.image_token_id,
    videoTokenId: raw.video_token_id,
    visionStartTokenId: raw.vision_start_token_id,
    visionEndTokenId: raw.vision_end_token_id,
    patchSize: raw.vision_config.patch_size,
    spatialMergeSize: raw.vision_config.spatial_merge_size,
    temporalPatchSize: raw.vision_config.temporal_patch_size,
    eosTokenIds: [],
  } as unknown as ModelConfig;
  const step = STEPS[family];
  return { config, clips: step ? 'one-run' : 'time-stamped', positions: (ids: ArrayLike<number>, media: never) => ropePositions(ids, media, config, step) } as unknown as Architecture;
}

const clipOf = (video: Json): Media<PathFile> => ({
  kind: 'frames',
  files: (video.frames as string[]).map((path) => ({ path, file: readBlob(path.replace('videos/', 'video/')) })),
  fps: video.fps,
});
const options = { maxLength: 4096, maxImageSize: 0, assistantTurns: 'all' } as const;
const hash = (data: Float32Array | Uint8Array) => createHash('sha256').update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength)).digest('hex');

describe.each(Object.keys(STEPS))('clips of %s', async (family) => {
  const golden = readJson(`video/${family}.json`);
  const processor = await Processor.fromFiles(sideFiles(`${family}/checkpoint`), architecture(family));
  const { clips } = processor.architecture;
  const group = processor.video.temporalPatchSize;

  function toSample(messages: Json[], id: string): SampleInput {
    const media: Media<PathFile>[] = [];
    const part = (item: Json) => {
      if (item.type === 'text') return item;
      return { type: item.type, index: media.push(item.type === 'image' ? pictures({ path: item.image, file: readBlob(`qwen3_vl/images/${item.image}`) })[0] : clipOf(golden.videos[item.video])) - 1 };
    };
    const conversation = messages.map(({ role, content }) => ({ role, content: content.map(part) })) as Conversation;
    return { id, conversation, media };
  }

  it.each(golden.frame_sampling as Json[])('$total_num_frames frames at $fps, looked at $target_fps times a second', (row) => {
    const clip = { frames: row.total_num_frames, fps: row.fps };
    const indices = sampleFrames(clips, clip, { fps: row.target_fps, minFrames: 4, maxFrames: 768, temporalPatchSize: group }, 'x');
    expect(indices).toEqual(row.frames_indices);
    if (row.timestamps) expect(patchTimes(indices, row.fps, group).map(timeStamp)).toEqual(row.timestamps);
    else expect(group / secondsPerPatch(indices, clip, group)).toBeCloseTo(row.sampled_fps, 12);
  });

  it.each((golden.smart_resize ?? []) as Json[])('$frames frames of $height × $width within $min_pixels … $max_pixels', (row) => {
    const resize = () => smartResizeClip(row.frames, row.height, row.width, group, { factor: row.factor, minPixels: row.min_pixels, maxPixels: row.max_pixels });
    if (row.resized === null) expect(resize).toThrow(LorikeetError);
    else expect(resize()).toEqual({ height: row.resized[0], width: row.resized[1] });
  });

  it.each(Object.keys(golden.videos))('%s: frames, grid, resized pixels and pixel values', async (name) => {
    const expected = golden.videos[name];
    const clip = await prepareClip(clipOf(expected) as never, processor.video);
    expect(clip.indices).toEqual(expected.frames_indices);
    expect(clip.size).toEqual({ height: expected.resized_height, width: expected.resized_width });
    expect(clip.vision.grid).toEqual(expected.video_grid_thw);
    if (expected.second_per_grid_ts) expect(clip.vision.secondsPerGrid).toBe(expected.second_per_grid_ts);
    if (expected.timestamps_in_seconds) expect(clip.timestamps).toEqual(expected.timestamps_in_seconds);
    const frames = await clip.load();
    expect(hash(Uint8Array.from(frames.flatMap(({ pixels }) => [...pixels])))).toBe(expected.resized_u8_sha256);
    const [t, h, w] = clip.vision.grid;
    const values = new Float32Array(t * h * w * patchLength(processor.video));
    patchifyInto(frames, clip.vision.grid, processor.video, values);
    expect(hash(values)).toBe(expected.pixel_values_videos_sha256);
  });

  it.each(Object.keys(golden.samples))('sample %s: ids, labels, positions', async (name) => {
    const expected = golden.samples[name];
    const encoded = await processor.encodeSample(toSample(expected.messages, name), options);
    expect([...encoded.inputIds]).toEqual(expected.input_ids);
    // Labels of Qwen3.5 begin after the empty block of thoughts, which is still images' business.
    if (family !== 'qwen3_5') expect([...encoded.labels]).toEqual(expected.labels);
    const length = encoded.inputIds.length;
    expect([0, 1, 2].map((axis) => [...encoded.positionIds.subarray(axis * length, (axis + 1) * length)])).toEqual(expected.position_ids);
    expect(encoded.ropeDelta).toBe(expected.rope_deltas[0]);
    const batch = await processor.pack([encoded]);
    const { imageTokenId, videoTokenId } = processor.architecture.config;
    expect([...batch.visionRows].every((row) => [imageTokenId, videoTokenId].includes(batch.inputIds[row]))).toBe(true);
    expect(batch.grids).toEqual(encoded.media.map(({ grid }) => grid));
  });
});

describe('clips that cannot be used', async () => {
  const processor = await Processor.fromFiles(sideFiles('qwen3_vl/checkpoint'), architectureOf('qwen3_vl/checkpoint'));
  const frame = (path: string, from = 'video/v1/frame_000.png') => ({ path, file: readBlob(from) });
  const say = (role: 'user' | 'assistant', text: string) => ({ role, content: [{ type: 'text' as const, text }] });
  const video = (index: number) => ({ type: 'video' as const, index });
  const encode = (media: Media<PathFile>[], conversation: Conversation, more = {}) =>
    processor.encodeSample({ id: 's', conversation, media, place: { file: 'a.jsonl', line: 2 } }, { ...options, ...more });
  const shown = (media: Media<PathFile>, more = {}) => encode([media], [{ role: 'user', content: [video(0)] }, say('assistant', 'x')], more);

  it.each<[string, Media<PathFile>, RegExp]>([
    ['no frames', { kind: 'frames', files: [], fps: 2 }, /has no frames/],
    ['no frames a second', { kind: 'frames', files: [frame('v/0.png'), frame('v/1.png')], fps: 0 }, /^v says it has 0 frames per second/],
    ['absurdly many', { kind: 'frames', files: [frame('v/0.png'), frame('v/1.png')], fps: 1e9 }, /frames per second/],
    ['frames of two sizes', { kind: 'frames', files: [frame('v/0.png'), frame('v/1.png', 'video/v2/frame_000.png')], fps: 2 }, /v\/0\.png has 58 × 45 pixels, v\/1\.png has 44 × 62/],
    ['a picture as a video', { kind: 'video', file: frame('v.mp4') }, /v\.mp4 is not a video that can be read/],
    ['an empty file', { kind: 'video', file: { path: 'v.webm', file: new Blob() } }, /v\.webm is empty/],
  ])('%s', async (_what, medium, message) => {
    await expect(shown(medium)).rejects.toMatchObject({ code: 'video', message: expect.stringMatching(message), place: { file: 'a.jsonl', line: 2 } });
  });

  it('folders are put in the order of their numbers; gaps and doubles are named', () => {
    const order = (...names: string[]) => orderFrames(names.map((path) => frame(path)), 'v').map(({ path }) => path);
    expect(order('v/frame_10.png', 'v/frame_9.png', 'v/frame_11.png')).toEqual(['v/frame_9.png', 'v/frame_10.png', 'v/frame_11.png']);
    expect(() => order('v/frame_000.png', 'v/frame_002.png')).toThrow(/lacks v\/frame_001\.png/);
    expect(() => order('v/frame_1.png', 'v/frame_01.png')).toThrow(/frame 1 twice/);
    expect(() => order('v/frame_1.png', 'v/cover.png')).toThrow(/v\/cover\.png in the frame folder v has no number/);
  });

  it('one frame is enough with time stamps, and too few where whole pairs are taken', () => {
    const settings = { fps: 2, minFrames: 4, maxFrames: 768, temporalPatchSize: 2 };
    expect(sampleFrames('time-stamped', { frames: 1, fps: 25 }, settings, 'x')).toEqual([0]);
    expect(() => sampleFrames('one-run', { frames: 1, fps: 25 }, settings, 'x.mp4')).toThrow(/x\.mp4 has 1 frame; this model looks at no fewer than 2/);
  });

  it('placeholder tokens in the text are refused, and a clip that is too long is never cut', async () => {
    const clip: Media<PathFile> = { kind: 'frames', files: [frame('v/0.png'), frame('v/1.png')], fps: 2 };
    await expect(encode([clip], [{ role: 'user', content: [video(0), { type: 'text', text: '<|video_pad|>' }] }, say('assistant', 'x')])).rejects.toMatchObject({ code: 'dataset', message: expect.stringMatching(/2 video placeholders for 1 videos/) });
    const { inputIds } = await shown(clip);
    await expect(shown(clip, { maxLength: inputIds.length - 1 })).rejects.toMatchObject({ code: 'sample-too-long', advice: expect.stringContaining('video_max_frames') });
  });

  it('settings of a run stand in for the checkpoint’s', async () => {
    const clip = clipOf(readJson('video/qwen3_vl.json').videos.v1);
    const frames = async (video: Partial<VideoOptions>) => (await shown(clip, { video: { fps: null, minFrames: null, maxFrames: null, maxPixels: null, ...video } })).media[0].grid;
    expect(await frames({})).toEqual([4, 2, 4]);
    expect(await frames({ maxFrames: 2 })).toEqual([1, 2, 4]);
    expect(await frames({ fps: 1, minFrames: 2 })).toEqual([2, 2, 4]);
    expect(await frames({ maxPixels: 2 * 32 * 32 })).toEqual([4, 2, 2]);
    await expect(frames({ minFrames: 8, maxFrames: 4 })).rejects.toMatchObject({ code: 'config' });
  });

  it('pictures and clips in any order, one twice, in a later turn', async () => {
    const clip = clipOf(readJson('video/qwen3_vl.json').videos.v2);
    const [picture] = pictures({ path: 'a_rgb.png', file: readBlob('qwen3_vl/images/a_rgb.png') });
    const image = (index: number) => ({ type: 'image' as const, index });
    const encoded = await encode([clip, picture], [{ role: 'user', content: [video(0), image(1)] }, say('assistant', 'x'), { role: 'user', content: [image(1), video(0)] }, say('assistant', 'y')]);
    expect(encoded.media.map(({ kind }) => kind)).toEqual(['video', 'image', 'image', 'video']);
    expect(await encoded.pixels(3)).toEqual(await encoded.pixels(0));
    const batch = await processor.pack([encoded, await encode([], [say('user', 'q'), say('assistant', 'a')])]);
    expect(batch.visionRows).toHaveLength(encoded.media.reduce((sum, { grid: [t, h, w] }) => sum + (t * h * w) / 4, 0));
    const part = sliceBatch(batch, 0, 1, 2);
    expect([part.grids, part.pixelValues, part.visionRows]).toEqual([batch.grids, batch.pixelValues, batch.visionRows]);
  });
});
