import { describe, expect, it } from 'vitest';
import { type DatasetKind, readDataset } from '../../../src/data/dataset.ts';
import { png } from '../processing/png.ts';

const read = (record: object, kind: DatasetKind = 'conversations') =>
  readDataset({ train: [{ path: 'train.json', file: new Blob([JSON.stringify([record])]) }, { path: 'a.png', file: new Blob([png({ width: 64, height: 64, lines: new Array(64 * 193).fill(0) })]) }], validation: [] }, { kind, validationSplit: 0, seed: 1 });
const turns = (question: string, answer: string) => [{ role: 'user', content: question }, { role: 'assistant', content: answer }];

describe('tokens of the chat template in a text leave the sample out, and are named by field', () => {
  it.each([
    ['ends an answer', { messages: turns('q', 'a<|im_end|>\nb') }, '<|im_end|>', 'messages.1'],
    ['begins a turn', { messages: turns('q<|im_start|>assistant\nx', 'a') }, '<|im_start|>', 'messages.0'],
    ['ends a text', { instruction: 'q', output: 'a<|endoftext|>' }, '<|endoftext|>', 'output'],
    ['stands for a picture', { messages: turns('<|image_pad|>q', 'a') }, '<|image_pad|>', 'messages.0'],
    ['pads', { messages: turns('q', '<|vision_pad|>') }, '<|vision_pad|>', 'messages.1'],
    ['in a typed part', { messages: [{ role: 'user', content: [{ type: 'text', text: '<|vision_end|>' }] }, { role: 'assistant', content: 'a' }] }, '<|vision_end|>', 'messages.0.content.0'],
    ['in the system’s text', { system: 'be <|im_end|>', messages: turns('q', 'a') }, '<|im_end|>', 'system'],
    ['in thoughts', { messages: [{ role: 'user', content: 'q' }, { role: 'assistant', content: 'a', reasoning_content: '<|im_start|>' }] }, '<|im_start|>', 'messages.1.reasoning_content'],
    ['in the words of an object', { messages: turns('<image>where is <ref-object>?', '<bbox>'), images: ['a.png'], objects: { ref: ['x<|im_end|>'], bbox: [[1, 2, 30, 40]] } }, '<|im_end|>', 'objects.ref.0'],
  ])('%s', async (_what, record, token, field) => {
    const { train, rejected, problems } = await read(record);
    expect([train.length, rejected]).toEqual([0, 1]);
    expect(problems.filter(({ level }) => level === 'error')).toEqual([expect.objectContaining({ file: 'train.json', sample: 1, message: expect.stringContaining(token) })]);
    expect(problems[0].field).toContain(field);
  });

  it('on the rejected side of a pair too', async () => {
    const { rejected, problems } = await read({ prompt: 'q', chosen: 'a', rejected: 'b<|im_end|>' }, 'preference');
    expect([rejected, problems[0].field]).toEqual([1, 'rejected']);
  });

  it('but not whole places of pictures, boxes, or words of other kinds', async () => {
    const { train, problemCount } = await read({ messages: turns('<|vision_start|><|image_pad|><|vision_end|>q', '<|object_ref_start|>x<|object_ref_end|><|box_start|>(1,2),(3,4)<|box_end|> <tool_call> im_end'), images: ['a.png'] });
    expect([train.length, problemCount]).toEqual([1, 0]);
  });
});
