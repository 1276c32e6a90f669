import { describe, expect, it } from 'vitest';
import { readLlavaRecord } from '../../../src/data/llava.ts';
import { withCompletion } from '../../../src/processing/completion.ts';
import { promptOf } from '../../../src/processing/conversation.ts';
import { Processor } from '../../../src/processing/processor.ts';
import { IGNORE_INDEX } from '../../../src/processing/types.ts';
import { architectureOf, type Json, pictures, readBlob, readJson, sideFiles } from './fixtures.ts';

const processor = await Processor.fromFiles(sideFiles('qwen3_vl/checkpoint'), architectureOf('qwen3_vl/checkpoint'));
const { imageTokenId } = processor;
const options = { maxLength: 4096, maxImageSize: 0, assistantTurns: 'last' } as const;
const media = pictures({ path: 'a_rgb.png', file: readBlob('qwen3_vl/images/a_rgb.png') });
const { conversation } = readLlavaRecord({ image: 'a_rgb.png', conversations: [{ from: 'human', value: '<image>\nWhat?' }, { from: 'gpt', value: 'The answer is 三.' }] });
const prompt = await processor.encodePrompt({ id: 'p', conversation: promptOf(conversation), media }, options);

it('equals the encoded conversation where the text has one tokenisation', async () => {
  const whole = await processor.encodeSample({ id: 'p', conversation, media }, options);
  const made = withCompletion(prompt, processor.tokenizer.encode('The answer is 三.<|im_end|>\n'), { imageTokenId });
  for (const name of ['inputIds', 'labels', 'positionIds', 'ropeDelta', 'media', 'visionRows', 'labelTokens', 'id'] as const) expect(made[name]).toEqual(whole[name]);
  expect(await made.pixels(0)).toEqual(await whole.pixels(0));
});

it('keeps the sampled ids, whatever their text would be tokenised to', () => {
  const ids = [...processor.tokenizer.encode('T'), ...processor.tokenizer.encode('h'), ...processor.tokenizer.encode('e')];
  expect(processor.tokenizer.encode('The')).not.toEqual(ids);
  const made = withCompletion(prompt, ids, { id: 'p/1', imageTokenId });
  const before = prompt.inputIds.length;
  expect([...made.inputIds.subarray(before)]).toEqual(ids);
  expect([...made.labels]).toEqual([...new Array<number>(before).fill(IGNORE_INDEX), ...ids]);
  expect(made.id).toBe('p/1');
  expect(made.positionIds).toHaveLength(3 * made.inputIds.length);
});

it('leaves the prompt as it was and takes no ids at all', () => {
  const before = prompt.inputIds.slice();
  expect(withCompletion(prompt, [], { imageTokenId }).inputIds).toEqual(before);
  expect(prompt.inputIds).toEqual(before);
});

it('refuses image tokens, which stand for pixels that are not there', () => {
  expect(() => withCompletion(prompt, [1, imageTokenId], { imageTokenId })).toThrow(/image token/);
});

describe('reference completions', async () => {
  const { prompts, prompt_ids: promptIds, completion_ids: completionIds } = readJson('qwen3_vl/cases/grpo.json');
  const encoded = await Promise.all(
    prompts.map(async ({ prompt: record }: Json) => {
      const [path] = record.image;
      const { conversation } = readLlavaRecord(record, { ending: 'any' });
      return processor.encodePrompt({ id: path, conversation, media: pictures({ path, file: readBlob(`qwen3_vl/images/${path}`) }) }, options);
    }),
  );

  it.each(completionIds.map((ids: number[], row: number) => ({ ids, row })) as { ids: number[]; row: number }[])('row $row', async ({ ids, row }) => {
    const made = withCompletion(encoded[Math.floor(row / 4)], ids, { imageTokenId });
    expect([...made.inputIds]).toEqual([...promptIds[row], ...ids]);
    const batch = await processor.pack([made]);
    expect([...batch.targetIds]).toEqual(ids);
    expect([...batch.targetRows]).toEqual(ids.map((_, i) => promptIds[row].length - 1 + i));
  });
});
