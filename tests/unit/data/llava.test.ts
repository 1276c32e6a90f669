import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readLlavaRecord } from '../../../src/data/llava.ts';
import { pathsOf } from '../../../src/data/media-reference.ts';
import { isPreferenceRecord } from '../../../src/data/preference.ts';
import { LorikeetError } from '../../../src/protocol/errors.ts';

const samples = JSON.parse(readFileSync(new URL('../../fixtures/qwen3_vl/cases/samples.json', import.meta.url), 'utf8'));
const turns = (question: unknown, answer: unknown = 'yes') => [
  { from: 'human', value: question },
  { from: 'gpt', value: answer },
];
const text = (value: string) => ({ type: 'text', text: value });
const image = (index: number) => ({ type: 'image', index });
const still = (path: string) => ({ kind: 'image', path });

describe.each(Object.keys(samples))('reference sample %s', (name) => {
  it('gives the reference messages', () => {
    const { llava, messages } = samples[name];
    const { conversation, media } = readLlavaRecord(llava);
    const asHub = conversation.map(({ role, content }) => ({
      role,
      content: content.map((part) => (part.type === 'text' ? part : { type: 'image', image: pathsOf(media[part.index])[0] })),
    }));
    expect(asHub).toEqual(messages);
  });
});

describe('placing images', () => {
  it('consumes placeholders in order and drops one line break on either side', () => {
    const { conversation } = readLlavaRecord({ image: ['a', 'b'], conversations: turns('x\n\n<image>\n\ny<image>z') });
    expect(conversation[0].content).toEqual([text('x\n'), image(0), text('\ny'), image(1), text('z')]);
  });

  it('keeps line breaks when asked to', () => {
    const { conversation } = readLlavaRecord({ image: 'a', conversations: turns('<image>\nfind it') }, { keepImageNewline: true });
    expect(conversation[0].content).toEqual([image(0), text('\nfind it')]);
  });

  it('puts images first where no placeholder is', () => {
    const { conversation, media } = readLlavaRecord({ images: ['a', 'b'], system: 's', conversations: turns('q') });
    expect(conversation.map((m) => m.content)).toEqual([[text('s')], [image(0), image(1), text('q')], [text('yes')]]);
    expect(media).toEqual([still('a'), still('b')]);
  });

  it('reads typed parts, with paths of their own or from the list', () => {
    const own = readLlavaRecord({ messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'u.png' } }, { type: 'image', image: 'v.png' }, { type: 'text', text: 'q' }] }, { role: 'assistant', content: [{ type: 'text', text: 'a' }] }] });
    expect(own.media).toEqual([still('u.png'), still('v.png')]);
    expect(own.conversation[0].content).toEqual([image(0), image(1), text('q')]);
    const listed = readLlavaRecord({ images: ['w.png'], messages: [{ role: 'user', content: [{ type: 'text', text: 'q' }, { type: 'image' }] }, { role: 'assistant', content: 'a' }] });
    expect(listed.media).toEqual([still('w.png')]);
    expect(listed.conversation[0].content).toEqual([text('q'), image(0)]);
  });

  it('takes ids as text', () => {
    expect(readLlavaRecord({ id: 7, conversations: turns('q') }).id).toBe('7');
    expect(readLlavaRecord({ conversations: turns('q') }).id).toBeNull();
  });
});

describe('faults', () => {
  const chat = (...roles: string[]) => ({ conversations: roles.map((from) => ({ from, value: 'x' })) });

  it.each<[string, unknown, RegExp, string?]>([
    ['no object', 7, /Expected Object but received 7/],
    ['null', null, /Expected Object but received null/],
    ['no turns', { image: 'a' }, /either "conversations" or "messages"/],
    ['both spellings', { conversations: turns('q'), messages: turns('q') }, /either "conversations" or "messages"/],
    ['both image fields', { image: 'a', images: ['b'], conversations: turns('q') }, /both "image" and "images"/],
    ['turns of a wrong type', { conversations: 'hi' }, /Field conversations: .*Array/, 'conversations'],
    ['text of a wrong type', { conversations: turns(true) }, /Field conversations\.0\.value: .*received true/, 'conversations.0.value'],
    ['image of a wrong type', { image: 5, conversations: turns('q') }, /Field image/, 'image'],
    ['list inside the list of images', { images: [['a.png']], conversations: turns('q') }, /Field images\.0/, 'images.0'],
    ['image given by its bytes', { image: { path: null, bytes: 'AAAA' }, conversations: turns('q') }, /holds the bytes/, 'image'],
    ['unknown role', chat('human', 'robot'), /Unknown role "robot"/, 'conversations.1.from'],
    ['inherited name as role', chat('constructor', 'gpt'), /Unknown role "constructor"/],
    ['prototype as role', chat('__proto__', 'gpt'), /Unknown role "__proto__"/],
    ['no speaker', { conversations: [{ value: 'x' }] }, /neither "from" nor "role"/],
    ['no text', { conversations: [{ from: 'human' }] }, /neither "value" nor "content"/],
    ['unknown part', { messages: [{ role: 'user', content: [{ type: 'audio' }] }] }, /Unknown kind of content "audio"/, 'messages.0.content.0.type'],
    ['text part without text', { messages: [{ role: 'user', content: [{ type: 'text' }] }] }, /no "text"/],
    ['assistant first', chat('gpt', 'human'), /Turn 1 should be of role user/],
    ['two users', chat('human', 'human', 'gpt'), /Turn 2 should be of role assistant/],
    ['late system', chat('human', 'system'), /Turn 2 should be of role assistant, it is system/],
    ['two systems', { system: 's', ...chat('system', 'human', 'gpt') }, /Turn 1 should be of role user, it is system/],
    ['no answer', chat('human'), /no assistant turn/],
    ['last question open', chat('human', 'gpt', 'human'), /last question has no answer/],
    ['no turns at all', { conversations: [] }, /conversation is empty/],
    ['empty answer', { conversations: turns('q', ' \n') }, /Answer 1 is empty/],
    ['empty question', { conversations: turns('') }, /Question 1 is empty/],
    ['more placeholders than images', { image: 'a', conversations: turns('<image><image>') }, /places 2 images, the sample lists 1/],
    ['fewer placeholders than images', { image: ['a', 'b'], conversations: turns('<image>') }, /places 1 images, the sample lists 2/],
    ['placeholders without images', { conversations: turns('<image> q') }, /places 1 images, the sample lists 0/],
    ['list and parts with paths', { images: ['a'], messages: [{ role: 'user', content: [{ type: 'image', image: 'b' }] }, { role: 'assistant', content: 'x' }] }, /places 0 images, the sample lists 1/],
    ['image in an answer', { image: 'a', conversations: turns('q', '<image>') }, /stands in a turn of role assistant/],
    ['endless turns', { conversations: new Array(2000).fill({ from: 'human', value: 'x' }) }, /at most 1000/],
    ['endless images', { image: new Array(300).fill('a'), conversations: turns('q') }, /at most 256/],
  ])('%s', (_what, record, message, field) => {
    try {
      readLlavaRecord(record);
      expect.unreachable('no error');
    } catch (error) {
      expect(error).toBeInstanceOf(LorikeetError);
      expect(error).toMatchObject({ code: 'dataset', message: expect.stringMatching(message) });
      if (field !== undefined) expect((error as LorikeetError).place.field).toBe(field);
    }
  });

  it('never reads through a __proto__ key', () => {
    const record = JSON.parse('{"__proto__": {"conversations": [{"from":"human","value":"q"},{"from":"gpt","value":"a"}]}}');
    expect(() => readLlavaRecord(record)).toThrow(/either "conversations" or "messages"/);
    expect(({} as Record<string, unknown>).conversations).toBeUndefined();
  });

  it('survives deep nesting', () => {
    const deep = JSON.parse('['.repeat(50_000) + ']'.repeat(50_000));
    expect(() => readLlavaRecord({ conversations: deep })).toThrow(LorikeetError);
    expect(() => readLlavaRecord(deep)).toThrow(LorikeetError);
  });
});

describe('isPreferenceRecord', () => {
  it('knows chosen and rejected', () => {
    expect(isPreferenceRecord({ chosen: 'a', rejected: 'b' })).toBe(true);
    expect(isPreferenceRecord({ chosen: 'a' })).toBe(false);
    expect(isPreferenceRecord(null)).toBe(false);
  });
});
