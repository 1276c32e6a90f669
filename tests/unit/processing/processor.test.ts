import { describe, expect, it } from 'vitest';
import { answerOf, promptOf } from '../../../src/processing/conversation.ts';
import type { Conversation } from '../../../src/processing/conversation.ts';
import { ChatTemplate } from '../../../src/processing/chat-template.ts';
import { parsePreprocessorConfig } from '../../../src/processing/preprocessor-config.ts';
import { Processor } from '../../../src/processing/processor.ts';
import { Tokenizer } from '../../../src/processing/tokenizer.ts';
import { IGNORE_INDEX } from '../../../src/processing/types.ts';
import { architectureOf, type Json, pictures, readBlob, readJson, sideFiles } from './fixtures.ts';
import { png } from './png.ts';

const files = sideFiles('qwen3_vl/checkpoint');
const architecture = architectureOf('qwen3_vl/checkpoint');
const processor = await Processor.fromFiles(files, architecture);
const say = (role: 'user' | 'assistant', text: string) => ({ role, content: [{ type: 'text' as const, text }] });
const options = { maxLength: 4096, maxImageSize: 0, assistantTurns: 'all' } as const;
const encode = (conversation: Conversation, more = {}) => processor.encodeSample({ id: 's1', conversation, media: [], place: { file: 'a.json', sample: 3 } }, { ...options, ...more });
/** Checkpoint files with some replaced (null: removed). */
const withFiles = (changes: Record<string, unknown>) => async (name: string) => {
  if (!Object.hasOwn(changes, name)) return files(name);
  const change = changes[name];
  return typeof change === 'string' || change === null ? change : JSON.stringify(change);
};
const preprocessor = readJson('qwen3_vl/checkpoint/preprocessor_config.json');
const tokenizer = readJson('qwen3_vl/checkpoint/tokenizer.json');

describe('labels', () => {
  const chat = [say('user', 'a'), say('assistant', 'first'), say('user', 'b'), say('assistant', 'second')];
  const labelled = (sample: { inputIds: Int32Array; labels: Int32Array }) => processor.decode([...sample.labels].filter((label) => label !== IGNORE_INDEX), { skipSpecial: false });

  it('covers all answers or the last one', async () => {
    expect(labelled(await encode(chat))).toBe('first<|im_end|>\nsecond<|im_end|>\n');
    expect(labelled(await encode(chat, { assistantTurns: 'last' }))).toBe('second<|im_end|>\n');
  });

  it('gives no label to a token that reaches over the border of prompt and answer', async () => {
    // Line breaks at the start of an answer merge with the one before it, so that token belongs to neither side.
    const sample = await encode([say('user', 'a'), say('assistant', '\n\nyes')]);
    for (let t = 0; t < sample.labels.length; t++) expect([IGNORE_INDEX, sample.inputIds[t]]).toContain(sample.labels[t]);
    expect('\n\nyes<|im_end|>\n'.endsWith(labelled(sample))).toBe(true);
    expect(labelled(sample)).toContain('yes<|im_end|>\n');
  });

  it.each(['e\u0301t\u00e9', '\u0338 combining', '中文。', '<tool_call>x</tool_call>', ' leading space', '🙂👩‍👩‍👧'])('are exactly the answer: %j', async (answer) => {
    const sample = await encode([say('user', 'a'), say('assistant', answer)]);
    expect(labelled(sample)).toBe(`${answer.normalize('NFC')}<|im_end|>\n`);
    const text = processor.template.render([say('user', 'a'), say('assistant', answer)]);
    expect([...sample.inputIds]).toEqual(processor.tokenizer.encode(text));
  });
});

describe('encoding faults', () => {
  const image = (index: number) => ({ type: 'image' as const, index });
  const withImage = { id: 's1', conversation: [{ role: 'user' as const, content: [image(0)] }, say('assistant', 'x')], media: pictures({ path: 'a_rgb.png', file: readBlob('qwen3_vl/images/a_rgb.png') }) };

  it('never cuts: a sample over the limit is named with its tokens', async () => {
    const exact = await processor.encodeSample(withImage, options);
    const length = exact.inputIds.length;
    expect((await processor.encodeSample(withImage, { ...options, maxLength: length })).inputIds).toHaveLength(length);
    await expect(processor.encodeSample(withImage, { ...options, maxLength: length - 1 })).rejects.toMatchObject({
      code: 'sample-too-long',
      message: `Sample s1 has ${length} tokens, 6 of them from images; max_length is ${length - 1}.`,
    });
  });

  it.each(['<|image_pad|>', 'x<|video_pad|>', '<|vision_start|><|image_pad|><|vision_end|>'])('refuses the placeholder token %s in text', async (text) => {
    await expect(encode([say('user', text), say('assistant', 'x')])).rejects.toMatchObject({ code: 'dataset', place: { file: 'a.json', sample: 3 } });
  });

  it('refuses an image that cannot be used, naming its file', async () => {
    const thin = { ...withImage, media: pictures({ path: 'thin.png', file: new Blob([png({ width: 1, height: 300, colorType: 0, lines: new Array<number>(600).fill(0) })]) }) };
    await expect(processor.encodeSample(thin, options)).rejects.toMatchObject({ code: 'image', place: { file: 'thin.png' }, message: expect.stringContaining('1 × 300') });
  });

  it('names the sample of a bad image, when it is known', async () => {
    const bad = { ...withImage, media: pictures({ path: 'bad.png', file: new Blob(['x']) }), place: { file: 'a.jsonl', line: 4, sample: 3 } };
    await expect(processor.encodeSample(bad, options)).rejects.toMatchObject({ code: 'image', place: bad.place, message: expect.stringContaining('bad.png') });
  });

  it('shrinks images to max_image_size before the model resizes them', async () => {
    const large = { ...withImage, media: pictures({ path: 'e_large.png', file: readBlob('qwen3_vl/images/e_large.png') }) };
    const [free, limited] = await Promise.all([0, 70].map((maxImageSize) => processor.encodeSample(large, { ...options, maxImageSize })));
    expect(free.media.map(({ grid }) => grid)).toEqual([[1, 4, 10]]);
    // 420 × 197 -> 70 × 32, enlarged again to the model's minimum of 64² pixels.
    expect(limited.media.map(({ grid }) => grid)).toEqual([[1, 4, 6]]);
    const [pixels] = await limited.pixels(0);
    expect([pixels.height, pixels.width]).toEqual([64, 96]);
  });

  it('uses each image where the conversation says, not in file order', async () => {
    const media = pictures(...['a_rgb.png', 'b_rgba.png'].map((path) => ({ path, file: readBlob(`qwen3_vl/images/${path}`) })));
    const sample = await processor.encodeSample({ id: 'x', conversation: [{ role: 'user', content: [image(1), image(0)] }, say('assistant', 'x')], media }, options);
    expect(sample.media.map(({ grid }) => grid)).toEqual([[1, 8, 4], [1, 4, 6]]);
    expect((await sample.pixels(0))[0].height).toBe(128);
  });
});

describe('conversation', () => {
  it('splits prompt and answer', () => {
    const chat = [say('user', 'a'), say('assistant', 'b'), say('user', 'c'), say('assistant', 'd')];
    expect(promptOf(chat)).toEqual(chat.slice(0, 3));
    expect(answerOf(chat)).toBe('d');
    expect(promptOf(chat.slice(0, 1))).toEqual(chat.slice(0, 1));
    expect(answerOf(chat.slice(0, 1))).toBe('');
  });

  it('prompt and answer tokens make up the whole sample', async () => {
    const chat = [say('user', 'a'), say('assistant', 'b c')];
    const whole = await encode(chat);
    const prompt = await processor.encodePrompt({ id: 'p', conversation: promptOf(chat), media: [] }, options);
    expect([...whole.inputIds.subarray(0, prompt.inputIds.length)]).toEqual([...prompt.inputIds]);
    expect(whole.labels.findIndex((label) => label !== IGNORE_INDEX)).toBe(prompt.inputIds.length);
  });
});

describe('checkpoint files', () => {
  it.each<[string, Record<string, unknown>, string, RegExp]>([
    ['no tokenizer', { 'tokenizer.json': null }, 'file-missing', /no tokenizer\.json/],
    ['no image settings', { 'preprocessor_config.json': null }, 'file-missing', /no preprocessor_config\.json/],
    ['no template', { 'chat_template.json': null, 'tokenizer_config.json': {} }, 'chat-template', /has no chat template/],
    ['broken JSON', { 'generation_config.json': '{"a":' }, 'file-corrupt', /generation_config\.json is not valid JSON/],
    ['negative stop token', { 'generation_config.json': { eos_token_id: -1 } }, 'file-corrupt', /generation_config\.json, eos_token_id/],
    ['stop token outside the vocabulary', { 'generation_config.json': { eos_token_id: [1, 99_999] } }, 'file-corrupt', /token 99999 ends or fills texts/],
    ['padding token outside the vocabulary', { 'generation_config.json': { pad_token_id: 608 } }, 'file-corrupt', /token 608 ends or fills texts/],
    ['tokenizer of a larger model', { 'tokenizer.json': { ...tokenizer, added_tokens: [...tokenizer.added_tokens, { id: 608, content: '<extra>' }] } }, 'tokenizer', /ids up to 608, the model’s vocabulary ends at 607/],
    ['tokenizer of another model', { 'tokenizer.json': { ...tokenizer, added_tokens: tokenizer.added_tokens.filter(({ content }: { content: string }) => content !== '<|image_pad|>') } }, 'tokenizer', /<\|image_pad\|> no id; config\.json, image_token_id, says 572/],
    ['two tokens of one id', { 'tokenizer.json': { ...tokenizer, added_tokens: [...tokenizer.added_tokens, { id: 572, content: '<extra>' }] } }, 'tokenizer', /"<extra>" has the id 572 of "<\|image_pad\|>"/],
    ['a token whose id is none', { 'tokenizer.json': { ...tokenizer, model: { ...tokenizer.model, vocab: { ...tokenizer.model.vocab, extra: 1.5 } } } }, 'tokenizer', /"extra" has id 1\.5/],
    ['other patch size', { 'preprocessor_config.json': { ...preprocessor, patch_size: 14 } }, 'file-corrupt', /patch_size is 16, the processor has 14/],
    ['template of a wrong type', { 'chat_template.json': { chat_template: 5 } }, 'chat-template', /chat_template/],
    ['template that does not parse', { 'chat_template.jinja': '{% for %}' }, 'chat-template', /not a valid Jinja template/],
    ['endless template', { 'chat_template.jinja': 'x'.repeat(300_000) }, 'chat-template', /300000 characters/],
    ['tokenizer of another kind', { 'tokenizer.json': { ...tokenizer, model: { ...tokenizer.model, type: 'WordPiece' } } }, 'tokenizer', /model\.type/],
    ['tokenizer without parts', { 'tokenizer.json': {} }, 'tokenizer', /model/],
    ['tokenizer without merges', { 'tokenizer.json': { ...tokenizer, model: { ...tokenizer.model, merges: undefined } } }, 'tokenizer', /cannot be used/],
    ['tokenizer without <|im_end|>', { 'tokenizer.json': { ...tokenizer, added_tokens: [] } }, 'tokenizer', /<\|im_end\|>/],
  ])('%s', async (_what, changes, code, message) => {
    await expect(Processor.fromFiles(withFiles(changes), architecture)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });

  it('finds the template in any of its places', async () => {
    const text = readJson('qwen3_vl/checkpoint/chat_template.json').chat_template;
    const chat = [say('user', 'hi')];
    const rendered = processor.template.render(chat);
    for (const changes of [
      { 'chat_template.jinja': text, 'chat_template.json': null },
      { 'chat_template.json': null, 'tokenizer_config.json': { chat_template: text } },
      { 'chat_template.json': null, 'tokenizer_config.json': { chat_template: [{ name: 'tool_use', template: 'no' }, { name: 'default', template: text }] } },
    ]) {
      expect((await Processor.fromFiles(withFiles(changes), architecture)).template.render(chat)).toBe(rendered);
    }
  });

  it('reads image settings from processor_config.json, stop and padding ids from anywhere', async () => {
    const moved = await Processor.fromFiles(withFiles({ 'preprocessor_config.json': null, 'processor_config.json': { image_processor: preprocessor }, 'generation_config.json': null }), architecture);
    expect(moved.preprocessor).toEqual(processor.preprocessor);
    expect(moved.stopIds).toContain(562);
    expect(moved.padId).toBe(560);
    const other = await Processor.fromFiles(withFiles({ 'generation_config.json': { eos_token_id: [5, 6], pad_token_id: 7 } }), architecture);
    expect([other.stopIds, other.padId]).toEqual([[562, 5, 6], 7]);
  });

  it('reports what a template refuses', () => {
    expect(() => new ChatTemplate("{{ raise_exception('no images here') }}", 't.jinja').render([])).toThrow(/cannot render the conversation: no images here/);
  });

  it('does not lose text to __proto__ entries of the vocabulary', () => {
    const vocab = JSON.parse(`{"__proto__": 590, ${JSON.stringify(tokenizer.model.vocab).slice(1)}`);
    const made = Tokenizer.fromJson({ ...tokenizer, model: { ...tokenizer.model, vocab } }, {});
    expect(made.encode('The image')).toEqual(processor.tokenizer.encode('The image'));
  });
});

describe('parsePreprocessorConfig', () => {
  it('prefers min_pixels and max_pixels', () => {
    expect(parsePreprocessorConfig(preprocessor)).toMatchObject({ minPixels: 4096, maxPixels: 16384, patchSize: 16, temporalPatchSize: 2, mergeSize: 2 });
    expect(parsePreprocessorConfig({ ...preprocessor, min_pixels: 1, max_pixels: 2 })).toMatchObject({ minPixels: 1, maxPixels: 2 });
  });

  it.each<[string, Json, string]>([
    ['no size', { ...preprocessor, size: null }, 'size'],
    ['bounds the wrong way round', { ...preprocessor, size: { shortest_edge: 9, longest_edge: 3 } }, 'size'],
    ['two means', { ...preprocessor, image_mean: [0.5, 0.5] }, 'image_mean'],
    ['zero deviation', { ...preprocessor, image_std: [0.5, 0, 0.5] }, 'image_std'],
    ['fractional patches', { ...preprocessor, patch_size: 1.5 }, 'patch_size'],
    ['huge patches', { ...preprocessor, patch_size: 1e12 }, 'patch_size'],
    ['no normalisation', { ...preprocessor, do_normalize: false }, 'do_normalize'],
    ['other scale', { ...preprocessor, rescale_factor: 1 }, 'rescale_factor'],
    ['null', null, ''],
  ])('%s', (_what, json, field) => {
    expect(() => parsePreprocessorConfig(json)).toThrow(expect.objectContaining({ code: 'file-corrupt', place: { file: 'preprocessor_config.json', field } }));
  });
});
