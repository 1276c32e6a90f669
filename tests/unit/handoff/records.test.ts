/** Samples of every kind as TRL's conversational rows. */
import { expect, it } from 'vitest';
import type { DatasetSample } from '../../../src/data/dataset.ts';
import { recordFiles } from '../../../src/handoff/records.ts';

const picture = (path: string) => ({ path, file: new Blob([path]) });
const shared = picture('../../etc/pass wd\n.PNG');

const sample = (id: string, more: Partial<DatasetSample> = {}): DatasetSample => ({
  id,
  conversation: [
    { role: 'user', content: [{ type: 'image', index: 0 }, { type: 'text', text: '\nWhat?\u2028"' }] },
    { role: 'assistant', content: [{ type: 'text', text: 'A lamp.' }] },
  ],
  media: [{ kind: 'image', file: shared }],
  place: { file: 'a.json', sample: 1 },
  ...more,
});
const rows = (lines: string) => lines.trimEnd().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);

it('writes conversations as they are, and each picture once under a name of our own', () => {
  const { train, validation, pictures } = recordFiles({ kind: 'conversations', train: [sample('1'), sample('2')], validation: [sample('3')] });
  expect(rows(train)).toHaveLength(2);
  expect(rows(train)[0]).toEqual({
    id: '1',
    messages: [
      { role: 'user', content: [{ type: 'image' }, { type: 'text', text: '\nWhat?\u2028"' }] },
      { role: 'assistant', content: [{ type: 'text', text: 'A lamp.' }] },
    ],
    images: ['images/000001.png'],
  });
  expect(rows(validation)[0].images).toEqual(['images/000001.png']);
  expect(pictures.map(({ path }) => path)).toEqual(['images/000001.png']);
});

it('writes pairs with the prompt apart, and answers that are not to be learnt as such', () => {
  const rejected = { role: 'assistant' as const, content: [{ type: 'text' as const, text: 'A tree.' }] };
  const { train } = recordFiles({ kind: 'preference', train: [sample('1', { rejected })], validation: [] });
  expect(rows(train)[0]).toMatchObject({ prompt: [{ role: 'user' }], chosen: [{ role: 'assistant', content: [{ text: 'A lamp.' }] }], rejected: [{ content: [{ text: 'A tree.' }] }] });
  const muted = sample('2');
  muted.conversation[1].learnt = false;
  expect(rows(recordFiles({ kind: 'conversations', train: [muted], validation: [] }).train)[0]).toMatchObject({ messages: [{}, { loss: false }] });
});

it('takes pictures in the order in which the conversation shows them', () => {
  const media = [{ kind: 'image' as const, file: picture('a.jpg') }, { kind: 'image' as const, file: picture('no-ending') }];
  const conversation: DatasetSample['conversation'] = [{ role: 'user', content: [{ type: 'image', index: 1 }, { type: 'image', index: 0 }] }];
  const { train, pictures } = recordFiles({ kind: 'prompts', train: [sample('1', { conversation, media })], validation: [] });
  expect(rows(train)[0]).toMatchObject({ images: ['images/000001.img', 'images/000002.jpg'], solution: '' });
  expect(pictures.map(({ file }) => file)).toEqual([media[1].file.file, media[0].file.file]);
});

it('refuses clips by the sample', () => {
  const media = [{ kind: 'video' as const, file: picture('a.mp4') }];
  expect(() => recordFiles({ kind: 'conversations', train: [sample('7', { media })], validation: [] })).toThrow(/Sample 7 has a clip/);
});
