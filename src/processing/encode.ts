/** Conversation + pictures and clips -> token ids, labels and positions. */
import type { Architecture } from '../families/architecture.ts';
import { patchesOf, patchesOfAll } from '../families/media.ts';
import { LorikeetError, type ErrorPlace } from '../protocol/errors.ts';
import type { ChatTemplate } from './chat-template.ts';
import type { Conversation } from './conversation.ts';
import type { PreparedMedia } from './prepare-image.ts';
import type { Tokenizer } from './tokenizer.ts';
import { countLabels, IGNORE_INDEX, type EncodedSample } from './types.ts';

/** What encoding needs of a model. */
export interface EncodingContext {
  tokenizer: Tokenizer;
  template: ChatTemplate;
  architecture: Pick<Architecture, 'config' | 'positions' | 'clips'>;
}

export interface EncodeOptions {
  /** Tokens, those of pictures and clips included. */
  maxLength: number;
  /** Which assistant turns carry labels. */
  assistantTurns: 'all' | 'last';
}

/** A conversation with its pictures and clips in the order in which they are shown. */
export interface EncodeInput {
  id: string;
  conversation: Conversation;
  media: readonly PreparedMedia[];
  /** Where the sample comes from, for error messages. */
  place?: ErrorPlace;
}

/** What the model is trained to say: assistant content, <|im_end|> and the line break after it. */
const ASSISTANT_TURN = /<\|im_start\|>assistant\n([\s\S]*?<\|im_end\|>\n)/g;

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
  return expandMedia(context, input, encoded.ids, labels, options.maxLength);
}

/**
 * Encodes a prompt for generation: everything given, then the opening of the assistant's turn. All labels are IGNORE_INDEX.
 * @throws LorikeetError as `encodeSample`
 */
export function encodePrompt(context: EncodingContext, input: EncodeInput, options: Pick<EncodeOptions, 'maxLength'>): EncodedSample {
  const text = context.template.render(input.conversation, { addGenerationPrompt: true });
  const ids = context.tokenizer.encode(text);
  return expandMedia(context, input, ids, new Int32Array(ids.length).fill(IGNORE_INDEX), options.maxLength);
}

/** A prompt of one placeholder token per picture -> as many as it has merged patches. Equal to repeating it in the text: it is an added token. */
function expandMedia(context: EncodingContext, input: EncodeInput, ids: readonly number[], labels: Int32Array, maxLength: number): EncodedSample {
  const { imageTokenId, videoTokenId, spatialMergeSize } = context.architecture.config;
  const media = input.media.map(({ vision }) => vision);
  const found = ids.reduce((count, id) => count + (id === imageTokenId ? 1 : 0), 0);
  if (found !== media.length || (videoTokenId !== null && ids.includes(videoTokenId))) {
    throw new LorikeetError(
      'dataset',
      `Sample ${input.id}: its text renders to ${found} image placeholders for ${media.length} images, or to a video.`,
      'Remove special tokens such as <|image_pad|> from the text; write <image> instead.',
      input.place,
    );
  }
  const visionTokens = patchesOfAll(media) / spatialMergeSize ** 2;
  const length = ids.length - found + visionTokens;
  if (length > maxLength) {
    throw new LorikeetError(
      'sample-too-long',
      `Sample ${input.id} has ${length} tokens, ${visionTokens} of them from images; max_length is ${maxLength}.`,
      visionTokens * 2 > length ? 'Lower max_image_size or raise max_length.' : 'Raise max_length or shorten the text.',
      input.place,
    );
  }
  const inputIds = new Int32Array(length);
  const expandedLabels = new Int32Array(length).fill(IGNORE_INDEX);
  const visionRows: number[] = [];
  let medium = 0;
  let at = 0;
  for (let t = 0; t < ids.length; t++) {
    const isVision = ids[t] === imageTokenId;
    const copies = isVision ? patchesOf(media[medium++].grid) / spatialMergeSize ** 2 : 1;
    inputIds.fill(ids[t], at, at + copies);
    expandedLabels.fill(labels[t], at, at + copies);
    if (isVision) for (let row = at; row < at + copies; row++) visionRows.push(row);
    at += copies;
  }
  return {
    id: input.id,
    inputIds,
    labels: expandedLabels,
    labelTokens: countLabels(expandedLabels),
    ...context.architecture.positions(inputIds, media),
    media,
    visionRows: Int32Array.from(visionRows),
    pixels: (i) => input.media[i].load(),
  };
}
