import { describe, expect, it } from 'vitest';
import { isPreferenceRecord, readPreferenceRecord } from '../../../src/data/preference.ts';
import { LorikeetError } from '../../../src/protocol/errors.ts';

const text = (value: string) => ({ type: 'text', text: value });
const image = (index: number) => ({ type: 'image', index });
const user = (content: unknown) => ({ role: 'user', content });
const assistant = (content: unknown) => ({ role: 'assistant', content });
const asked = [{ role: 'user', content: [image(0), text('q')] }];
const good = { role: 'assistant', content: [text('good')] };
const bad = { role: 'assistant', content: [text('bad')] };
const expected = { id: null, conversation: [...asked, good], media: [{ kind: 'image', path: 'a.png' }], ignoredKeys: [], rejected: bad };

describe('formats', () => {
  it.each<[string, unknown]>([
    ['texts with one image', { image: 'a.png', prompt: 'q', chosen: 'good', rejected: 'bad' }],
    ['texts that place their image', { images: ['a.png'], prompt: '<image>q', chosen: 'good', rejected: 'bad' }],
    ['turns, prompt given', { images: ['a.png'], prompt: [user([{ type: 'image' }, text('q')])], chosen: [assistant([text('good')])], rejected: [assistant('bad')] }],
    ['turns, image not placed', { image: 'a.png', prompt: [user('q')], chosen: [assistant('good')], rejected: [assistant('bad')] }],
    ['turns, prompt inside both sides', { images: ['a.png'], chosen: [user('q'), assistant('good')], rejected: [user('q'), assistant('bad')] }],
    ['turns, prompt inside and beside', { image: 'a.png', prompt: 'q', chosen: [user('q'), assistant('good')], rejected: [user('q'), assistant('bad')] }],
    ['ranking with conversations', { images: ['a.png'], conversations: [{ from: 'human', value: '<image>q' }], chosen: { from: 'gpt', value: 'good' }, rejected: { from: 'gpt', value: 'bad' } }],
    ['ranking with messages', { images: ['a.png'], messages: [user('<image>q')], chosen: assistant('good'), rejected: assistant('bad') }],
    ['rejected response', { images: ['a.png'], messages: [user('<image>q'), assistant('good')], rejected_response: 'bad' }],
    ['rejected messages', { images: ['a.png'], messages: [user('<image>q'), assistant('good')], rejected_messages: [user('<image>q'), assistant('bad')], rejected_images: ['a.png'] }],
    ['unused columns empty', { image: 'a.png', prompt: 'q', chosen: 'good', rejected: 'bad', messages: null, rejected_response: null, rejected_images: null }],
  ])('%s', (_what, record) => {
    expect(readPreferenceRecord(record)).toEqual(expected);
    expect(isPreferenceRecord(record)).toBe(true);
  });

  it('keeps the line break after the image when asked to', () => {
    const { conversation } = readPreferenceRecord({ id: 3, image: 'a.png', prompt: 'q', chosen: 'x', rejected: 'y' }, { keepImageNewline: true });
    expect(conversation[0].content).toEqual([image(0), text('\nq')]);
  });

  it('puts several images in front of a text, each on its line', () => {
    const { conversation, media } = readPreferenceRecord({ images: ['a', 'b'], prompt: 'q', chosen: 'x', rejected: 'y' });
    expect(conversation[0].content).toEqual([image(0), image(1), text('q')]);
    expect(media).toEqual([{ kind: 'image', path: 'a' }, { kind: 'image', path: 'b' }]);
  });

  it('reads longer prompts, with a system turn of either kind', () => {
    const turns = [user('a'), assistant('b'), user('c')];
    const own = readPreferenceRecord({ system: 's', prompt: turns, chosen: 'x', rejected: 'y' });
    const inside = readPreferenceRecord({ prompt: [{ role: 'system', content: 's' }, ...turns], chosen: 'x', rejected: 'y' });
    expect(own).toEqual(inside);
    expect(own.conversation.map((message) => message.role)).toEqual(['system', 'user', 'assistant', 'user', 'assistant']);
  });

  it('takes answers that differ in white space alone', () => {
    expect(readPreferenceRecord({ prompt: 'q', chosen: 'a\nb', rejected: 'a b' }).rejected.content).toEqual([text('a b')]);
  });
});

describe('faults', () => {
  const pair = (changes: object) => ({ image: 'a.png', prompt: 'q', chosen: 'good', rejected: 'bad', ...changes });

  it.each<[string, unknown, RegExp, string?]>([
    ['no object', 7, /Expected Object/],
    ['answers alike', pair({ rejected: 'good' }), /chosen and the rejected answer are the same/, 'rejected'],
    ['answers alike, as turns', pair({ chosen: [assistant('x')], rejected: assistant([text('x')]) }), /are the same/, 'rejected'],
    ['no rejected', pair({ rejected: null }), /no rejected answer/, 'rejected'],
    ['no chosen', pair({ chosen: undefined }), /no chosen answer/, 'chosen'],
    ['empty rejected', pair({ rejected: ' \n' }), /The rejected answer is empty/, 'rejected'],
    ['empty chosen turn', pair({ chosen: [assistant([text('')])] }), /The chosen answer is empty/, 'chosen.0'],
    ['empty rejected list', pair({ rejected: [] }), /rejected side does not end with an answer/, 'rejected'],
    ['empty rejected response', { messages: [user('q'), assistant('x')], rejected_response: '' }, /rejected answer is empty/, 'rejected_response'],
    ['rejected ends with a question', pair({ rejected: [user('q')] }), /rejected side does not end with an answer/, 'rejected'],
    ['no prompt', { chosen: 'a', rejected: 'b' }, /no prompt/, 'prompt'],
    ['prompt inside one side only', { chosen: [user('q'), assistant('a')], rejected: [assistant('b')] }, /no prompt/, 'prompt'],
    ['two prompts', pair({ messages: [user('q')] }), /several prompts/, 'prompt'],
    ['two rejected answers', pair({ rejected_response: 'x' }), /several rejected answers/, 'rejected'],
    ['other questions', { chosen: [user('q'), assistant('a')], rejected: [user('r'), assistant('b')] }, /answer different prompts/, 'rejected'],
    ['other prompt in rejected messages', { messages: [user('q'), assistant('a')], rejected_messages: [user('r'), assistant('b')] }, /answer different prompts/, 'rejected_messages'],
    ['no messages beside the rejected ones', { rejected_response: 'b', prompt: 'q' }, /no "messages"/, 'messages'],
    ['image inside one answer', pair({ rejected: 'see <image>' }), /The rejected side: An image stands in a turn of role assistant/, 'rejected'],
    ['image in one side only', { images: ['a.png'], chosen: [user('<image>q'), assistant('a')], rejected: [user([text('q'), { type: 'image', image: 'b.png' }]), assistant('b')] }, /The rejected side: The text places 0 images, the sample lists 1/],
    ['own image in one side only', { chosen: [user([{ type: 'image', image: 'a.png' }, text('q')]), assistant('a')], rejected: [user('q'), assistant('b')] }, /show different images/, 'rejected'],
    ['other image in the other side', { chosen: [user([{ type: 'image', image: 'a' }]), assistant('a')], rejected: [user([{ type: 'image', image: 'b' }]), assistant('b')] }, /show different images/, 'rejected'],
    ['rejected images of their own', pair({ rejected_images: ['b.png'] }), /show different images/, 'rejected_images'],
    ['rejected images removed', pair({ rejected_images: [] }), /show different images/, 'rejected_images'],
    ['unknown role', pair({ rejected: [{ role: 'robot', content: 'x' }] }), /Unknown role "robot"/, 'rejected.0.role'],
    ['unknown role in front of an answer', pair({ chosen: [{ from: 'robot', value: 'x' }, assistant('x')] }), /Unknown role "robot"/, 'chosen.0.from'],
    ['answer of several turns', pair({ chosen: [assistant('a'), assistant('b')] }), /The chosen side: Turn 3 should be of role user/],
    ['prompt that ends with an answer', pair({ prompt: [user('q'), assistant('x')] }), /The chosen side: Turn 3 should be of role user/],
    ['answer of a wrong type', pair({ chosen: 5 }), /Field chosen: .*received 5/, 'chosen'],
    ['endless prompt', pair({ prompt: new Array(2000).fill(user('x')) }), /at most 1000/],
  ])('%s', (_what, record, message, field) => {
    try {
      readPreferenceRecord(record);
      expect.unreachable('no error');
    } catch (error) {
      expect(error).toBeInstanceOf(LorikeetError);
      expect(error).toMatchObject({ code: 'dataset', message: expect.stringMatching(message), advice: expect.stringMatching(/./) });
      if (field !== undefined) expect((error as LorikeetError).place.field).toBe(field);
    }
  });
});
