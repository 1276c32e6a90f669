import { describe, expect, it } from 'vitest';
import { readPromptRecord } from '../../../src/data/prompt-record.ts';

const text = (value: string) => ({ type: 'text', text: value });
const image = (index: number) => ({ type: 'image', index });
const question = { role: 'user', content: [image(0), text('q')] };
const answer = { role: 'assistant', content: [text('yes')] };
const user = (content: unknown) => ({ role: 'user', content });

describe('truth', () => {
  it.each<[string, unknown]>([
    ['of a conversation', { image: 'a', conversations: [{ from: 'human', value: '<image>\nq' }, { from: 'gpt', value: 'yes' }] }],
    ['of messages', { images: ['a'], messages: [user('q'), { role: 'assistant', content: 'yes' }] }],
    ['in a column, prompt as text', { image: 'a', prompt: 'q', solution: 'yes' }],
    ['in a column, prompt as turns', { images: ['a'], prompt: [user([{ type: 'image' }, text('q')])], answer: 'yes' }],
    ['in a column, messages without an answer', { images: ['a'], messages: [user('<image>q')], ground_truth: 'yes' }],
    ['at the end of the prompt', { images: ['a'], prompt: [user('<image>q'), { role: 'assistant', content: 'yes' }] }],
    ['first column that is there', { image: 'a', prompt: 'q', solution: null, answer: 'yes', ground_truth: 'no' }],
  ])('%s', (_what, record) => {
    expect(readPromptRecord(record)).toMatchObject({ conversation: [question, answer], media: [{ kind: 'image', path: 'a' }], hasTruth: true });
  });

  it('may be missing', () => {
    const sample = readPromptRecord({ id: 'x', image: 'a', prompt: 'q' });
    expect(sample).toMatchObject({ id: 'x', conversation: [question], hasTruth: false });
  });

  it('may be a number', () => {
    const { conversation } = readPromptRecord({ prompt: 'q', solution: 0 });
    expect(conversation.at(-1)).toEqual({ role: 'assistant', content: [text('0')] });
  });

  it('uses up its column only', () => {
    expect(readPromptRecord({ prompt: 'q', answer: 'a', ground_truth: 'b' }).columns).toContain('answer');
    expect(readPromptRecord({ prompt: 'q', answer: 'a', ground_truth: 'b' }).columns).not.toContain('ground_truth');
    expect(readPromptRecord({ messages: [user('q'), { role: 'assistant', content: 'x' }], answer: 'a' }).columns).not.toContain('answer');
  });
});

it('keeps the line break after the image when asked to', () => {
  expect(readPromptRecord({ image: 'a', prompt: 'q' }, { keepImageNewline: true }).conversation[0].content).toEqual([image(0), text('\nq')]);
});

describe('faults', () => {
  it.each<[string, unknown, RegExp, string?]>([
    ['no prompt', { image: 'a' }, /needs one of "prompt"/, 'prompt'],
    ['two prompts', { prompt: 'q', messages: [user('q')] }, /needs one of "prompt"/, 'prompt'],
    ['empty prompt', { prompt: '  ' }, /Question 1 is empty/],
    ['no turns', { prompt: [] }, /conversation is empty/],
    ['empty truth', { prompt: 'q', solution: '' }, /true answer in "solution" is empty/, 'solution'],
    ['truth of a wrong type', { prompt: 'q', answer: { a: 1 } }, /Field answer/, 'answer'],
    ['image in the truth', { image: 'a', prompt: 'q', solution: '<image>' }, /stands in a turn of role assistant/, 'solution'],
    ['more places than images', { prompt: '<image>q' }, /places 1 images, the sample lists 0/],
    ['unknown role', { prompt: [{ role: 'robot', content: 'x' }] }, /Unknown role/, 'prompt.0.role'],
    ['two questions', { prompt: [user('a'), user('b')] }, /Turn 2 should be of role assistant/],
  ])('%s', (_what, record, message, field) => {
    expect(() => readPromptRecord(record)).toThrow(expect.objectContaining({ code: 'dataset', message: expect.stringMatching(message), ...(field && { place: { field } }) }));
  });
});
