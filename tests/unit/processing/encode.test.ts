import { describe, expect, it } from 'vitest';
import type { Conversation } from '../../../src/processing/conversation.ts';
import { Processor, type SampleInput } from '../../../src/processing/processor.ts';
import { architectureOf, demoArchitecture, demoSideFiles, type Json, pictures, readBlob, readDemoBlob, readJson, sideFiles } from './fixtures.ts';

const FAMILIES = ['qwen2_vl', 'qwen2_5_vl', 'qwen3_vl', 'qwen3_5'];
const processorOf = (family: string) => Processor.fromFiles(sideFiles(`${family}/checkpoint`), architectureOf(`${family}/checkpoint`));
const processor = await processorOf('qwen3_vl');
const options = { maxLength: 4096, maxImageSize: 0, assistantTurns: 'all' } as const;

/** Hugging Face messages of the fixtures -> our conversation and image files. */
function toSample(messages: Json[], id: string): SampleInput {
  const names: string[] = [];
  const conversation = messages.map((message) => ({
    role: message.role,
    ...(message.reasoning_content === undefined ? {} : { reasoning: message.reasoning_content }),
    content:
      typeof message.content === 'string'
        ? [{ type: 'text', text: message.content }]
        : message.content.map((part: Json) => (part.type === 'text' ? { type: 'text', text: part.text } : { type: part.type, index: names.push(part[part.type]) - 1 })),
  })) as Conversation;
  return { id, conversation, media: pictures(...names.map((name) => ({ path: name, file: name.endsWith('.png') ? readBlob(`qwen3_vl/images/${name}`) : new Blob([]) }))) };
}

describe.each(FAMILIES)('tokenizer of %s', async (family) => {
  const { cases } = readJson(`${family}/cases/tokenizer.json`);
  const processor = await processorOf(family);

  it.each(cases as Json[])('$text', (c) => {
    expect(processor.tokenizer.encode(c.text)).toEqual(c.ids);
    expect(processor.tokenizer.decode(c.ids)).toBe(c.decoded);
    expect(processor.tokenizer.decode(c.ids, { skipSpecial: true })).toBe(c.decoded_skip_special);
  });
});

describe('tokenizer', () => {
  it('knows where tokens begin, normalisation and special tokens included', () => {
    const text = 'e\u0301 = 中\n<|im_end|>\u0338x\nab';
    const { ids, tokenAt } = processor.tokenizer.encodeWithOffsets(text);
    expect(ids).toEqual(processor.tokenizer.encode(text));
    for (const offset of [0, text.indexOf('<'), text.indexOf('\u0338'), text.indexOf('ab'), text.length]) {
      expect(ids.slice(0, tokenAt(offset))).toEqual(processor.tokenizer.encode(text.slice(0, offset)));
    }
  });

  it('decodes a cut-off character as U+FFFD and ignores unknown ids', () => {
    const ids = processor.tokenizer.encode('谢');
    const cut = processor.tokenizer.encode('穀').slice(0, -1);
    expect(processor.tokenizer.decode(cut)).toContain('\ufffd');
    expect(processor.tokenizer.decode([...ids, 99999])).toBe('谢');
    expect(processor.tokenizer.decode([])).toBe('');
  });
});

describe.each(FAMILIES)('%s', async (family) => {
  const processor = await processorOf(family);

  it.each(readJson(`${family}/cases/chat_template.json`).cases as Json[])('chat template, case %#', (c) => {
    const { conversation } = toSample(c.messages, 'x');
    expect(processor.template.render(conversation, { addGenerationPrompt: c.add_generation_prompt, enableThinking: c.enable_thinking })).toBe(c.rendered_text);
  });

  it.each(Object.entries<Json>(readJson(`${family}/cases/samples.json`)))('sample %s: ids and labels', async (name, expected) => {
    const encoded = await processor.encodeSample(toSample(expected.messages, name), options);
    expect([...encoded.inputIds]).toEqual(expected.input_ids);
    expect([...encoded.labels]).toEqual(expected.labels);
    const prefixed = await processor.encodeSample(toSample(expected.messages, name), { ...options, labelsWithThinkPrefix: true });
    expect([...prefixed.labels]).toEqual(expected.labels_with_think_prefix ?? expected.labels);
  });

  it.each(['text_only', 'one_image', 'two_images', 'padded_batch'])('case %s: positions and grids, row by row', async (name) => {
    const expected = readJson(`${family}/cases/${name}.json`);
    const grids: Json[] = [];
    for (let row = 0; row < expected.input_ids.length; row++) {
      const encoded = await processor.encodeSample(toSample(expected.messages[row], name), options);
      const length = encoded.inputIds.length;
      expect([...encoded.inputIds]).toEqual(expected.input_ids[row].slice(0, length));
      for (let axis = 0; axis < 3; axis++) {
        expect([...encoded.positionIds.subarray(axis * length, (axis + 1) * length)]).toEqual(expected.position_ids[axis][row].slice(0, length));
      }
      expect(encoded.ropeDelta).toBe(expected.rope_deltas.flat()[row]);
      grids.push(...encoded.media.map(({ grid }) => grid));
    }
    expect(grids).toEqual(expected.image_grid_thw ?? []);
  });

  it('answers end at <|im_end|>, whatever config.json says', () => {
    expect(processor.stopIds[0]).toBe(processor.tokenizer.tokenId('<|im_end|>'));
    expect(processor.stopIds).toContain(processor.tokenizer.tokenId('<|endoftext|>'));
  });

  it('says whether answers are given thoughts', () => {
    expect(processor.thinking).toBe(family === 'qwen3_5' ? 'template' : 'none');
  });
});

describe('thoughts', async () => {
  const thinking = await processorOf('qwen3_5');
  const question = { id: 'q', conversation: [{ role: 'user', content: [{ type: 'text', text: 'a' }] }] as Conversation, media: [] };

  it('a prompt closes an empty block unless thoughts are asked for', async () => {
    const [closed, opened] = await Promise.all([{}, { enableThinking: true }].map((more) => thinking.encodePrompt(question, { ...options, ...more })));
    expect(thinking.decode(closed.inputIds, { skipSpecial: false })).toMatch(/<think>\n\n<\/think>\n\n$/);
    expect(thinking.decode(opened.inputIds, { skipSpecial: false })).toMatch(/assistant\n<think>\n$/);
  });

  it('what is learnt follows what a prompt holds', async () => {
    const whole = await thinking.encodeSample({ ...question, conversation: [...question.conversation, { role: 'assistant', content: [{ type: 'text', text: 'b' }] }] }, options);
    const prompt = await thinking.encodePrompt(question, options);
    expect([...whole.inputIds.subarray(0, prompt.inputIds.length)]).toEqual([...prompt.inputIds]);
    expect(whole.labels.findIndex((label) => label !== -100)).toBe(prompt.inputIds.length);
  });
});

it('thoughts of a dataset are written where the template has a place for them, and refused elsewhere', async () => {
  const sample = { id: 'q', media: [], conversation: [
    { role: 'user', content: [{ type: 'text', text: 'a' }] },
    { role: 'assistant', reasoning: 'because', content: [{ type: 'text', text: 'b' }] },
  ] as Conversation };
  const thinking = await processorOf('qwen3_5');
  const whole = await thinking.encodeSample(sample, options);
  expect(thinking.decode(whole.inputIds, { skipSpecial: false })).toMatch(/assistant\n<think>\nbecause\n<\/think>\n\nb<\|im_end\|>\n$/);
  expect(thinking.decode([...whole.inputIds].filter((_, i) => whole.labels[i] !== -100), { skipSpecial: false })).toMatch(/because[^]*b/);
  const plain = await processorOf('qwen2_5_vl');
  await expect(plain.encodeSample(sample, options)).rejects.toMatchObject({ code: 'dataset', place: { field: 'reasoning_content' } });
});

describe('demo model', async () => {
  const demo = await Processor.fromFiles(demoSideFiles, demoArchitecture());
  const cases = readJson('demo/recipe/reference.json');

  it('has 8 reference cases', () => expect(cases).toHaveLength(8));

  it.each(cases as Json[])('$image $prompt', async (c) => {
    const prompt = await demo.encodePrompt(
      {
        id: c.image,
        conversation: [{ role: 'user', content: [{ type: 'image', index: 0 }, { type: 'text', text: c.prompt }] }],
        media: pictures({ path: c.image, file: readDemoBlob(`data/${c.image}`) }),
      },
      options,
    );
    expect([...prompt.inputIds]).toEqual(c.input_ids);
    expect(prompt.media.map(({ grid }) => grid)).toEqual([c.image_grid_thw]);
    expect([...prompt.labels].every((label) => label === -100)).toBe(true);
    const batch = await demo.pack([prompt]);
    const mean = batch.pixelValues.reduce((sum, x) => sum + x, 0) / batch.pixelValues.length;
    expect(mean).toBeCloseTo(c.pixel_values_mean, 5);
    expect([...batch.pixelValues.subarray(0, 8)].map((x) => Number(x.toFixed(5)))).toEqual(c.pixel_values_row0_first8);
    expect(demo.decode(c.greedy_ids)).toBe(c.greedy_text);
  });

  it('stops at <|im_end|> and <|endoftext|>', () => {
    expect(demo.stopIds).toEqual([1000, 998]);
    expect(demo.padId).toBe(998);
  });
});
