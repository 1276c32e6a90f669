/** Clips and their frames: how they are found, and what is refused. */
import { describe, expect, it } from 'vitest';
import { readDataset } from '../../../src/data/dataset.ts';
import { filesOf } from '../../../src/protocol/media.ts';
import type { PathFile } from '../../../src/protocol/messages.ts';

const file = (path: string, content: BlobPart = 'pixels'): PathFile => ({ path, file: new Blob([content]) });
const turns = (question: string) => [{ role: 'user', content: question }, { role: 'assistant', content: 'yes' }];

async function read(record: object, ...paths: (string | PathFile)[]) {
  const files = paths.map((path) => (typeof path === 'string' ? file(path) : path));
  return readDataset({ train: [file('train.json', JSON.stringify([record])), ...files], validation: [] }, { kind: 'conversations', validationSplit: 0, seed: 1 });
}
const media = async (...given: Parameters<typeof read>) => {
  const { train, problems } = await read(...given);
  expect(problems.filter(({ level }) => level === 'error')).toEqual([]);
  return train[0].media.map((medium) => [medium.kind, ...filesOf(medium).map(({ path }) => path), ...(medium.kind === 'frames' ? [medium.fps] : [])]);
};

describe('clips', () => {
  it('are files, lists of frames, or folders', async () => {
    expect(await media({ video: 'a.mp4', messages: turns('q') }, 'clips/a.mp4')).toEqual([['video', 'clips/a.mp4']]);
    expect(await media({ videos: [['f/1.png', 'f/2.png'], 'b.mp4'], messages: turns('<video> or <video>?') }, 'f/1.png', 'f/2.png', 'b.mp4')).toEqual([['frames', 'f/1.png', 'f/2.png', null], ['video', 'b.mp4']]);
    expect(await media({ video: ['1.png', '2.png'], fps: 4, messages: turns('<video>q') }, '1.png', '2.png')).toEqual([['frames', '1.png', '2.png', 4]]);
    const frames = ['f9.png', 'f10.png', 'f11.png'].map((name) => `set/clip1/${name}`);
    expect(await media({ video: 'clip1', messages: turns('<video>q') }, ...[...frames].reverse())).toEqual([['frames', ...frames, null]]);
    expect(await media({ video: 'videos/clip1.mp4', messages: turns('<video>q') }, ...frames)).toEqual([['frames', ...frames, null]]);
  });

  it('of pictures that came as bytes go by the name that their reader gave them', async () => {
    expect(await media({ image_bytes: 'a.parquet/row-1.png', messages: turns('q') }, 'a.parquet/row-1.png')).toEqual([['image', 'a.parquet/row-1.png']]);
    for (const other of [{ image_bytes: 'iVBORw0KGgo=' }, { image_url: 'a.png' }]) expect((await read({ ...other, messages: turns('q') }, 'a.png')).problems[0]).toMatchObject({ level: 'error', field: Object.keys(other)[0] });
  });

  it('stand in order with pictures, in any turn, and twice', async () => {
    const record = { images: ['a.png'], videos: ['v.mp4', 'v.mp4'], messages: [...turns('<video>q'), ...turns('<image>and <video>?')] };
    expect(await media(record, 'a.png', 'v.mp4')).toEqual([['video', 'v.mp4'], ['image', 'a.png'], ['video', 'v.mp4']]);
  });

  it.each<[string, object, string[], RegExp, string?]>([
    ['fewer places than clips', { videos: ['a.mp4', 'b.mp4'], messages: turns('<video>q') }, ['a.mp4', 'b.mp4'], /places 1 videos, the sample lists 2/, 'video'],
    ['a place without a clip', { messages: turns('<video>q') }, [], /places 1 videos, the sample lists 0/, 'video'],
    ['an fps of 0', { video: ['1.png'], fps: 0, messages: turns('q') }, ['1.png'], /speed of a clip is "0"/, 'fps'],
    ['a part of a clip', { messages: turns('q').map((turn, i) => (i === 0 ? { ...turn, content: [{ type: 'video', video: 'a.mp4', video_start: 2 }] } : turn)) }, ['a.mp4'], /"video_start" of a clip/, 'messages.0.content.0.video_start'],
    ['a folder with a gap', { video: 'c', messages: turns('<video>q') }, ['c/1.png', 'c/2.png', 'c/4.png'], /has a gap: 2\.png is followed by 4\.png/, 'video'],
    ['a clip among the images', { image: 'a.mp4', messages: turns('<image>q') }, ['a.mp4'], /is a video, but stands where an image is expected/, 'image'],
    ['a clip that is missing', { video: 'a.mp4', messages: turns('<video>q') }, [], /The video a\.mp4 is not among the dropped files/, 'video'],
    ['audio', { audios: ['a.wav'], messages: turns('q') }, [], /"audios": sound cannot be trained on/, 'audios'],
    ['a place for audio', { messages: turns('<audio>q') }, [], /holds <audio>, which is not understood/, 'messages.0'],
    ['a part of audio', { messages: [{ role: 'user', content: [{ type: 'input_audio' }] }] }, [], /Unknown kind of content "input_audio"/, 'messages.0.content.0.type'],
    ['a stray token', { messages: turns('<|video_pad|>q') }, [], /holds <\|video_pad\|>/, 'messages.0'],
    ['a number twice', { images: ['a.png'], messages: turns('<image 1> and <image 1>') }, ['a.png'], /shows image 1 twice/, 'messages.0'],
    ['a number that nothing has', { images: ['a.png'], messages: turns('<image 2>') }, ['a.png'], /shows image 2, the sample lists 1/, 'messages.0'],
  ])('%s is refused by name', async (_what, record, paths, message, field) => {
    const { train, problems } = await read(record, ...paths);
    expect(train).toEqual([]);
    expect(problems.filter(({ level }) => level === 'error')).toEqual([expect.objectContaining({ message: expect.stringMatching(message), ...(field && { field }) })]);
  });
});

describe('files that are missing', () => {
  it.each([
    ['in other letters', 'a.PNG', 'A.png', /written in other letters/],
    ['with another ending', 'a.jpg', 'a.png', /with another ending/],
    ['as HEIC', 'a.jpg', 'a.heic', /browsers cannot read HEIC/],
  ])('%s are explained', async (_what, reference, dropped, advice) => {
    const { problems } = await read({ image: reference, messages: turns('<image>q') }, dropped);
    expect(problems[0]).toMatchObject({ level: 'error', code: 'file-missing', advice: expect.stringMatching(advice) });
  });

  it('as Git LFS pointers are told apart', async () => {
    const { problems } = await read({ image: 'a.png', messages: turns('<image>q') }, file('a.png', 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n'));
    expect(problems[0]).toMatchObject({ level: 'error', message: expect.stringMatching(/Git LFS pointer/), advice: expect.stringMatching(/git lfs pull/) });
  });

  it('are found by file addresses of another computer', async () => {
    expect(await media({ image: 'file:///home/me/my%20data/a.png', messages: turns('<image>q') }, 'a.png')).toEqual([['image', 'a.png']]);
  });
});
