/** Conversation + images -> token ids, labels and positions. */
import { stillOf } from '../families/media.ts';
import { ropePositions } from '../families/positions.ts';
import { LorikeetError, type ErrorPlace } from '../protocol/errors.ts';
import type { ChatTemplate } from './chat-template.ts';
import type { Conversation } from './conversation.ts';
import type { PreparedImage } from './prepare-image.ts';
import type { Tokenizer } from './tokenizer.ts';
import { IGNORE_INDEX, type EncodedSample, type GridTHW } from './types.ts';

/** What encoding needs of a model. */
export interface EncodingContext {
  tokenizer: Tokenizer;
  template: ChatTemplate;
  imageTokenId: number;
  videoTokenId: number | null;
  mergeSize: number;
}

export interface EncodeOptions {
  /** Tokens, image tokens included. */
  maxLength: number;
  /** Which assistant turns carry labels. */
  assistantTurns: 'all' | 'last';
}

/** A conversation with its images in the order in which they are shown. */
export interface EncodeInput {
  id: string;
  conversation: Conversation;
  images: readonly PreparedImage[];
  /** Where the sample comes from, for error messages. */
  place?: ErrorPlace;
}

/** What the model is trained to say: assistant content, <|im_end|> and the line break after it. */
const ASSISTANT_TURN = /<\|im_start\|>assistant\n([\s\S]*?<\|im_end\|>\n)/g;

/** Tokens of the merged image, as the language model sees it. */
export function imageTokenCount([frames, height, width]: GridTHW, mergeSize: number): number {
  return (frames * height * width) / (mergeSize * mergeSize);
}

/**
 * Encodes a sample for training.
 * @throws LorikeetError "sample-too-long" (never cut), "dataset", "chat-template", "tokenizer"
 */
export function encodeSample(context: EncodingContext, input: EncodeInput, options: EncodeOptions): EncodedSample {
  const text = context.template.render(input.conversation);
  const encoded = context.tokenizer.encodeWithOffsets(text);
  const labels = new Int32Array(encoded.ids.length).fill(IGNORE_INDEX);
  const turns = [...text.matchAll(ASSISTANT_TURN)];
  if (turns.length === 0) {
    throw new LorikeetError(
      'chat-template',
      'The chat template writes no assistant turn between "<|im_start|>assistant" and "<|im_end|>".',
      'Use the chat template of the original Qwen-VL model.',
      input.place,
    );
  }
  for (const turn of options.assistantTurns === 'last' ? turns.slice(-1) : turns) {
    const end = turn.index + turn[0].length;
    const stop = encoded.tokenAt(end);
    for (let t = encoded.tokenAt(end - turn[1].length); t < stop; t++) labels[t] = encoded.ids[t];
  }
  return expandImages(context, input, encoded.ids, labels, options.maxLength);
}

/**
 * Encodes a prompt for generation: everything given, then the opening of the assistant's turn. All labels are IGNORE_INDEX.
 * @throws LorikeetError as `encodeSample`
 */
export function encodePrompt(context: EncodingContext, input: EncodeInput, options: Pick<EncodeOptions, 'maxLength'>): EncodedSample {
  const text = context.template.render(input.conversation, { addGenerationPrompt: true });
  const ids = context.tokenizer.encode(text);
  return expandImages(context, input, ids, new Int32Array(ids.length).fill(IGNORE_INDEX), options.maxLength);
}

/** Repeats each image token as often as the image has merged patches. Equal to repeating it in the text: it is an added token. */
function expandImages(context: EncodingContext, input: EncodeInput, ids: readonly number[], labels: Int32Array, maxLength: number): EncodedSample {
  const { imageTokenId, mergeSize } = context;
  const grids = input.images.map((image) => image.grid);
  const found = ids.reduce((count, id) => count + (id === imageTokenId ? 1 : 0), 0);
  if (found !== grids.length || (context.videoTokenId !== null && ids.includes(context.videoTokenId))) {
    throw new LorikeetError(
      'dataset',
      `Sample ${input.id}: its text renders to ${found} image placeholders for ${grids.length} images, or to a video.`,
      'Remove special tokens such as <|image_pad|> from the text; write <image> instead.',
      input.place,
    );
  }
  const imageTokens = grids.reduce((sum, grid) => sum + imageTokenCount(grid, mergeSize), 0);
  const length = ids.length - found + imageTokens;
  if (length > maxLength) {
    throw new LorikeetError(
      'sample-too-long',
      `Sample ${input.id} has ${length} tokens, ${imageTokens} of them from images; max_length is ${maxLength}.`,
      imageTokens * 2 > length ? 'Lower max_image_size or raise max_length.' : 'Raise max_length or shorten the text.',
      input.place,
    );
  }
  const inputIds = new Int32Array(length);
  const expandedLabels = new Int32Array(length).fill(IGNORE_INDEX);
  let image = 0;
  let at = 0;
  for (let t = 0; t < ids.length; t++) {
    const copies = ids[t] === imageTokenId ? imageTokenCount(grids[image++], mergeSize) : 1;
    inputIds.fill(ids[t], at, at + copies);
    expandedLabels.fill(labels[t], at, at + copies);
    at += copies;
  }
  const { positionIds, ropeDelta } = ropePositions(inputIds, grids.map(stillOf), imageTokenId, mergeSize);
  return { id: input.id, inputIds, labels: expandedLabels, positionIds, ropeDelta, grids, image: (i) => input.images[i].load() };
}
