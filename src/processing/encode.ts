/** Conversation + pictures and clips -> token ids, labels and positions. */
import type { Architecture } from '../families/architecture.ts';
import { patchesOf, patchesOfAll } from '../families/media.ts';
import { invariant, LorikeetError, type ErrorPlace } from '../protocol/errors.ts';
import type { ChatTemplate } from './chat-template.ts';
import type { Conversation } from './conversation.ts';
import { timeStamp } from './frame-sampling.ts';
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
  /** Labels also fall on the block of thoughts that a prompt for generation would already hold. */
  labelsWithThinkPrefix?: boolean;
}

export interface PromptOptions extends Pick<EncodeOptions, 'maxLength'> {
  enableThinking?: boolean;
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
  const text = renderText(context, input, { addGenerationPrompt: false });
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
  for (const turn of learntTurns(turns, input, options.assistantTurns)) {
    const end = turn.index + turn[0].length;
    const given = options.labelsWithThinkPrefix ? 0 : openingOf(turn[1], context.template);
    const stop = encoded.tokenAt(end);
    for (let t = encoded.tokenAt(end - turn[1].length + given); t < stop; t++) labels[t] = encoded.ids[t];
  }
  return expandMedia(context, input, encoded.ids, labels, options.maxLength);
}

/** Characters of an answer that stand in the prompt already: an empty block of thoughts, or the opening of one. */
function openingOf(answer: string, { openings }: ChatTemplate): number {
  return openings.find((opening) => answer.startsWith(opening))?.length ?? 0;
}

/**
 * The rendered answers that carry labels.
 * @throws LorikeetError "chat-template" when answers cannot be told apart though some of them are not to be learnt
 */
function learntTurns(turns: readonly RegExpExecArray[], { conversation, place }: EncodeInput, which: EncodeOptions['assistantTurns']): readonly RegExpExecArray[] {
  const answers = conversation.filter(({ role }) => role === 'assistant');
  if (answers.every(({ learnt }) => learnt !== false)) return which === 'last' ? turns.slice(-1) : turns;
  if (turns.length !== answers.length) {
    throw new LorikeetError(
      'chat-template',
      `The chat template writes ${turns.length} assistant turns for ${answers.length} answers, so those that are not to be learnt cannot be told.`,
      'Use the chat template of the original Qwen-VL model.',
      place,
    );
  }
  return turns.filter((_, i) => answers[i].learnt !== false && (which === 'all' || i === turns.length - 1));
}

/**
 * Encodes a prompt for generation: everything given, then the opening of the assistant's turn. All labels are IGNORE_INDEX.
 * @param options.enableThinking whether the opening invites thoughts, where the template knows of them
 * @throws LorikeetError as `encodeSample`
 */
export function encodePrompt(context: EncodingContext, input: EncodeInput, options: PromptOptions): EncodedSample {
  const text = renderText(context, input, { addGenerationPrompt: true, enableThinking: options.enableThinking });
  const ids = context.tokenizer.encode(text);
  return expandMedia(context, input, ids, new Int32Array(ids.length).fill(IGNORE_INDEX), options.maxLength);
}

/** The rendered conversation, each clip written out as its family reads it. */
function renderText({ template, tokenizer, architecture }: EncodingContext, input: EncodeInput, options: { addGenerationPrompt: boolean; enableThinking?: boolean }): string {
  if (input.conversation.some(({ reasoning }) => reasoning !== undefined) && !template.thinks) {
    throw new LorikeetError('dataset', `Sample ${input.id} has thoughts, which this model’s chat template does not write.`, 'Remove "reasoning_content", or choose a model that thinks.', { ...input.place, field: 'reasoning_content' });
  }
  const text = template.render(input.conversation, options);
  const { config, clips } = architecture;
  const videos = input.media.filter(({ vision }) => vision.kind === 'video');
  if (videos.length === 0 || clips === 'one-run') return text;
  const written = (id: number) => tokenizer.decode([id]);
  invariant(config.videoTokenId !== null, 'a family with clips has no video token');
  const pad = written(config.videoTokenId);
  const pieces = text.split(pad);
  if (pieces.length - 1 !== videos.length) throw placeholderFault(input, 'video', pieces.length - 1, videos.length);
  const shown = (clip: PreparedMedia) => clip.timestamps.map((seconds) => `${timeStamp(seconds)}${written(config.visionStartTokenId)}${pad}${written(config.visionEndTokenId)}`).join('');
  return pieces.map((piece, i) => (i === 0 ? piece : shown(videos[i - 1]) + piece)).join('');
}

/** Runs of equal tokens that pictures and clips become: one each, or one for each temporal patch of a clip with time stamps. */
function runsOf(context: EncodingContext, { media }: EncodeInput): { token: number | null; copies: number }[] {
  const { config, clips } = context.architecture;
  return media.flatMap(({ vision: { kind, grid } }) => {
    const copies = patchesOf(grid) / config.spatialMergeSize ** 2;
    if (kind === 'image') return [{ token: config.imageTokenId, copies }];
    if (clips === 'one-run') return [{ token: config.videoTokenId, copies }];
    return new Array<{ token: number | null; copies: number }>(grid[0]).fill({ token: config.videoTokenId, copies: copies / grid[0] });
  });
}

function placeholderFault(input: EncodeInput, kind: 'image' | 'video', found: number, expected: number): LorikeetError {
  return new LorikeetError(
    'dataset',
    `Sample ${input.id}: its text renders to ${found} ${kind} placeholders for ${expected} ${kind}s.`,
    `Remove special tokens such as <|${kind}_pad|> from the text; write <${kind}> instead.`,
    input.place,
  );
}

/** Repeats each placeholder token as often as there are merged patches. Equal to repeating it in the text: it is an added token. */
function expandMedia(context: EncodingContext, input: EncodeInput, ids: readonly number[], labels: Int32Array, maxLength: number): EncodedSample {
  const { imageTokenId, videoTokenId, spatialMergeSize } = context.architecture.config;
  const media = input.media.map(({ vision }) => vision);
  const runs = runsOf(context, input);
  for (const [kind, token] of [['image', imageTokenId], ['video', videoTokenId]] as const) {
    const found = token === null ? 0 : ids.reduce((count, id) => count + (id === token ? 1 : 0), 0);
    const expected = media.filter((medium) => medium.kind === kind).length;
    if (found !== runs.filter((run) => run.token === token).length) throw placeholderFault(input, kind, found, expected);
  }
  const visionTokens = patchesOfAll(media) / spatialMergeSize ** 2;
  const length = ids.length - runs.length + visionTokens;
  if (length > maxLength) {
    const clips = media.some(({ kind }) => kind === 'video');
    throw new LorikeetError(
      'sample-too-long',
      `Sample ${input.id} has ${length} tokens, ${visionTokens} of them from ${clips ? 'pictures and videos' : 'images'}; max_length is ${maxLength}.`,
      clips ? 'Lower video_fps, video_max_frames or video_max_pixels, or raise max_length.' : visionTokens * 2 > length ? 'Lower max_image_size or raise max_length.' : 'Raise max_length or shorten the text.',
      input.place,
    );
  }
  const inputIds = new Int32Array(length);
  const expandedLabels = new Int32Array(length).fill(IGNORE_INDEX);
  const visionRows: number[] = [];
  let run = 0;
  let at = 0;
  for (let t = 0; t < ids.length; t++) {
    const isVision = ids[t] === imageTokenId || ids[t] === videoTokenId;
    if (isVision) invariant(runs[run].token === ids[t], `sample ${input.id}: pictures and videos come in another order than in its text`);
    const copies = isVision ? runs[run++].copies : 1;
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
