/** Whether tokenizer, config.json and generation_config.json are of one model: a foreign tokenizer would train on noise without an error. */
import type { ModelConfig } from '../families/architecture.ts';
import { LorikeetError } from '../protocol/errors.ts';
import type { Tokenizer } from './tokenizer.ts';

const ADVICE = 'Take both files from the same model folder.';

/**
 * Every id that the tokenizer gives must have a row in the embedding table, and the tokens that config.json numbers must be those of that name.
 * @throws LorikeetError "tokenizer" naming the token
 */
export function checkTokenizer(tokenizer: Tokenizer, config: ModelConfig): void {
  const file = 'tokenizer.json';
  if (tokenizer.lastId >= config.vocabSize) {
    throw new LorikeetError('tokenizer', `${file} gives ids up to ${tokenizer.lastId}, the model’s vocabulary ends at ${config.vocabSize - 1}.`, ADVICE, { file });
  }
  const named = [
    ['image_token_id', config.imageTokenId, '<|image_pad|>'],
    ['video_token_id', config.videoTokenId, '<|video_pad|>'],
    ['vision_start_token_id', config.visionStartTokenId, '<|vision_start|>'],
    ['vision_end_token_id', config.visionEndTokenId, '<|vision_end|>'],
  ] as const;
  for (const [field, id, content] of named) {
    const own = tokenizer.tokenId(content);
    if (id === null || own === id) continue;
    throw new LorikeetError('tokenizer', `${file} gives ${content} ${own === undefined ? 'no id' : `the id ${own}`}; config.json, ${field}, says ${id}.`, ADVICE, { file, field });
  }
}

/**
 * Tokens that end or fill texts must be in the vocabulary: no answer would ever end with another.
 * @param file where they come from, as far as is known
 * @throws LorikeetError "file-corrupt" naming the id
 */
export function checkEndings(ids: readonly number[], { vocabSize }: ModelConfig, file: string): void {
  const stray = ids.find((id) => id >= vocabSize);
  if (stray === undefined) return;
  throw new LorikeetError('file-corrupt', `${file}: token ${stray} ends or fills texts, and lies outside the vocabulary of ${vocabSize}.`, 'Take the file from the model’s original folder.', { file, field: 'eos_token_id' });
}
