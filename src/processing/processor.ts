/** A checkpoint's processor: everything between a conversation with its files and the model's inputs. */
import * as v from 'valibot';
import type { Architecture, ClipStyle, ModelConfig } from '../families/architecture.ts';
import { invariant, LorikeetError, type ErrorPlace } from '../protocol/errors.ts';
import type { Media } from '../protocol/media.ts';
import type { PathFile } from '../protocol/messages.ts';
import { ChatTemplate, findChatTemplate } from './chat-template.ts';
import { type Conversation, mediaOrder } from './conversation.ts';
import { type EncodeInput, encodePrompt, encodeSample, type EncodeOptions, type EncodingContext, type PromptOptions } from './encode.ts';
import { packSamples } from './pack.ts';
import { prepareClip } from './prepare-clip.ts';
import { prepareImage, type PreparedMedia } from './prepare-image.ts';
import { parsePreprocessorConfig, type PreprocessorConfig } from './preprocessor-config.ts';
import { checkEndings, checkTokenizer } from './token-agreement.ts';
import { parseVideoConfig, type VideoConfig, type VideoOptions, withOptions } from './video-config.ts';
import { Tokenizer } from './tokenizer.ts';
import type { EncodedSample, PackedBatch } from './types.ts';

const MAX_FILE_CHARACTERS = 64 * 2 ** 20;
const tokenIdSchema = v.pipe(v.number(), v.integer(), v.minValue(0));
const tokenizerConfigSchema = v.object({ eos_token: v.optional(v.nullable(v.union([v.string(), v.object({ content: v.string() })]))) });
const generationSchema = v.object({
  eos_token_id: v.optional(v.nullable(v.union([tokenIdSchema, v.array(tokenIdSchema)]))),
  pad_token_id: v.optional(v.nullable(tokenIdSchema)),
});

/** A sample as the dataset hands it over: its conversation and its pictures and clips, in the order of the conversation's indices. */
export interface SampleInput {
  id: string;
  conversation: Conversation;
  media: readonly Media<PathFile>[];
  place?: ErrorPlace;
}

export interface MediaOptions {
  /** Longest edge of pictures in pixels before the model's own resizing; 0 = no limit. Clips have bounds of their own. */
  maxImageSize: number;
  /** Left out: as the checkpoint says. */
  video?: VideoOptions;
}

export class Processor {
  private constructor(
    readonly tokenizer: Tokenizer,
    readonly template: ChatTemplate,
    readonly preprocessor: PreprocessorConfig,
    readonly video: VideoConfig,
    readonly architecture: Pick<Architecture, 'config' | 'positions' | 'clips' | 'shapes'>,
    /** Ids that end an answer. */
    readonly stopIds: readonly number[],
    /** Id that fills padding rows. */
    readonly padId: number,
  ) {}

  /**
   * Reads tokenizer.json, tokenizer_config.json, chat_template.{jinja,json}, preprocessor_config.json
   * video_preprocessor_config.json (or processor_config.json) and generation_config.json.
   * @param read text of a file by name, null if the checkpoint has no such file
   * @param architecture what config.json describes
   * @throws LorikeetError "file-missing", "file-corrupt", "tokenizer", "chat-template"
   */
  static async fromFiles(read: (name: string) => Promise<string | null>, architecture: Architecture): Promise<Processor> {
    const json = async (name: string): Promise<unknown> => {
      const text = await read(name);
      return text === null ? null : parseJsonFile(text, name);
    };
    const required = async (name: string): Promise<unknown> => {
      const value = await json(name);
      if (value !== null) return value;
      throw new LorikeetError('file-missing', `The model folder has no ${name}.`, `Add ${name} from the model’s original folder.`, { file: name });
    };
    const tokenizerConfig = await json('tokenizer_config.json');
    const tokenizer = Tokenizer.fromJson(await required('tokenizer.json'), tokenizerConfig);
    const source = findChatTemplate({ jinja: await read('chat_template.jinja'), json: await json('chat_template.json'), tokenizerConfig });
    const preprocessor = await readPreprocessor(json);
    checkAgreement(architecture.config, preprocessor, 'preprocessor_config.json');
    const video = await readVideoConfig(json, architecture.clips);
    checkAgreement(architecture.config, video, 'video_preprocessor_config.json');
    const generation = parseWith(generationSchema, (await json('generation_config.json')) ?? {}, 'generation_config.json');

    const imEnd = tokenizer.tokenId('<|im_end|>');
    if (imEnd === undefined) {
      throw new LorikeetError('tokenizer', 'tokenizer.json has no token <|im_end|>.', 'Use the tokenizer of a Qwen-VL model.', { file: 'tokenizer.json' });
    }
    checkTokenizer(tokenizer, architecture.config);
    const ending = endOfText(tokenizer, tokenizerConfig);
    const stops = [ending ?? [], generation.eos_token_id ?? architecture.config.eosTokenIds].flat();
    const padId = generation.pad_token_id ?? tokenizer.tokenId('<|endoftext|>') ?? imEnd;
    checkEndings([...stops, padId], architecture.config, generation.eos_token_id ?? generation.pad_token_id ? 'generation_config.json' : 'config.json');
    return new Processor(
      tokenizer,
      new ChatTemplate(source.text, source.file),
      preprocessor,
      video,
      architecture,
      [...new Set([imEnd, ...stops])],
      padId,
    );
  }

  /** "template": the chat template writes a block of thoughts before answers, an empty one where the dataset has none. */
  get thinking(): 'none' | 'template' {
    return this.template.thinks ? 'template' : 'none';
  }

  get imageTokenId(): number {
    return this.architecture.config.imageTokenId;
  }

  /**
   * Tokens, labels and positions of a sample; reads headers, decodes pixels only when asked for.
   * @throws LorikeetError "sample-too-long", "image", "dataset", "chat-template"
   */
  async encodeSample(sample: SampleInput, options: EncodeOptions & MediaOptions): Promise<EncodedSample> {
    return encodeSample(this.context, await this.prepare(sample, options), options);
  }

  /**
   * The same for generation: the conversation so far, then the opening of the assistant's turn; no labels.
   * @throws LorikeetError as `encodeSample`
   */
  async encodePrompt(prompt: SampleInput, options: PromptOptions & MediaOptions): Promise<EncodedSample> {
    return encodePrompt(this.context, await this.prepare(prompt, options), options);
  }

  /**
   * Whether answers can continue one copy of their prompt within a batch. A recurrent layer carries its state from row to
   * row: after the prompt it could go on with one answer only.
   */
  get sharesPrompts(): boolean {
    return this.architecture.shapes.text.every(({ state }) => state === 0);
  }

  /**
   * Lays samples end to end and reads their pictures and clips.
   * @param prompts number of the prompt that each sample begins with: those of one number share it where the model can
   */
  pack(samples: readonly EncodedSample[], prompts?: readonly number[]): Promise<PackedBatch> {
    return packSamples(samples, { padId: this.padId, patches: this.preprocessor, prompts: this.sharesPrompts ? prompts : undefined });
  }

  /** Text of ids; special tokens are left out unless asked for. */
  decode(ids: ArrayLike<number>, { skipSpecial = true } = {}): string {
    return this.tokenizer.decode(ids, { skipSpecial });
  }

  private get context(): EncodingContext {
    const { tokenizer, template, architecture } = this;
    return { tokenizer, template, architecture };
  }

  private async prepare(sample: SampleInput, { maxImageSize, video }: MediaOptions): Promise<EncodeInput> {
    const prepared = mediaOrder(sample.conversation).map(async (index): Promise<PreparedMedia> => {
      invariant(index >= 0 && index < sample.media.length, `sample ${sample.id} has no picture or clip ${index}`);
      const medium = sample.media[index];
      if (medium.kind === 'image') return prepareImage(medium.file.file, medium.file.path, this.preprocessor, maxImageSize);
      return prepareClip(medium, video ? withOptions(this.video, video) : this.video);
    });
    try {
      return { id: sample.id, conversation: sample.conversation, media: await Promise.all(prepared), place: sample.place };
    } catch (error) {
      if (!(error instanceof LorikeetError)) throw error;
      throw new LorikeetError(error.code, error.message, error.advice, { ...error.place, ...sample.place }, { cause: error });
    }
  }
}

/** The tokenizer's own end of an answer; where generation_config.json is missing, config.json may name another one only. */
function endOfText(tokenizer: Tokenizer, config: unknown): number | undefined {
  const { eos_token: eos } = parseWith(tokenizerConfigSchema, config ?? {}, 'tokenizer_config.json');
  if (!eos) return undefined;
  const content = typeof eos === 'string' ? eos : eos.content;
  const id = tokenizer.tokenId(content);
  if (id !== undefined) return id;
  throw new LorikeetError('tokenizer', `tokenizer_config.json, eos_token: tokenizer.json has no token ${JSON.stringify(content)}.`, 'Take both files from the same model folder.', { file: 'tokenizer_config.json', field: 'eos_token' });
}

function parseJsonFile(text: string, file: string): unknown {
  if (text.length > MAX_FILE_CHARACTERS) {
    throw new LorikeetError('file-too-large', `${file} has ${text.length} characters, at most ${MAX_FILE_CHARACTERS} are read.`, 'Take the file from the model’s original folder.', { file });
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new LorikeetError('file-corrupt', `${file} is not valid JSON: ${(error as Error).message}`, 'Take the file from the model’s original folder.', { file }, { cause: error });
  }
}

function parseWith<S extends v.GenericSchema>(schema: S, json: unknown, file: string): v.InferOutput<S> {
  const result = v.safeParse(schema, json);
  if (result.success) return result.output;
  const field = v.getDotPath(result.issues[0]) ?? '';
  throw new LorikeetError('file-corrupt', `${file}, ${field || 'top level'}: ${result.issues[0].message}`, 'Take the file from the model’s original folder.', { file, field });
}

/** Newer checkpoints keep the image settings inside processor_config.json. */
async function readPreprocessor(json: (name: string) => Promise<unknown>): Promise<PreprocessorConfig> {
  const own = await json('preprocessor_config.json');
  if (own !== null) return parsePreprocessorConfig(own);
  const shared = await json('processor_config.json');
  if (typeof shared === 'object' && shared !== null && Object.hasOwn(shared, 'image_processor')) {
    return parsePreprocessorConfig((shared as { image_processor: unknown }).image_processor, 'processor_config.json');
  }
  throw new LorikeetError('file-missing', 'The model folder has no preprocessor_config.json.', 'Add preprocessor_config.json from the model’s original folder.', {
    file: 'preprocessor_config.json',
  });
}

/** Settings for clips: a file of their own, a part of processor_config.json, or, as older checkpoints have it, those for pictures. */
async function readVideoConfig(json: (name: string) => Promise<unknown>, style: ClipStyle): Promise<VideoConfig> {
  const own = await json('video_preprocessor_config.json');
  if (own !== null) return parseVideoConfig(own, style, 'video_preprocessor_config.json');
  const shared = await json('processor_config.json');
  if (typeof shared === 'object' && shared !== null) {
    for (const part of ['video_processor', 'image_processor']) {
      if (Object.hasOwn(shared, part)) return parseVideoConfig((shared as Record<string, unknown>)[part], style, 'processor_config.json');
    }
  }
  return parseVideoConfig(await json('preprocessor_config.json'), style, 'preprocessor_config.json');
}

/** config.json and preprocessor_config.json name the patch layout twice; a disagreement would garble every image. */
function checkAgreement(config: ModelConfig, preprocessor: PreprocessorConfig, file: string): void {
  const pairs = [
    ['patch_size', config.patchSize, preprocessor.patchSize],
    ['spatial_merge_size', config.spatialMergeSize, preprocessor.mergeSize],
    ['temporal_patch_size', config.temporalPatchSize, preprocessor.temporalPatchSize],
  ] as const;
  for (const [field, expected, got] of pairs) {
    if (expected !== got) {
      throw new LorikeetError(
        'file-corrupt',
        `${file} disagrees with config.json: vision_config.${field} is ${expected}, the processor has ${got}.`,
        'Take both files from the same model folder.',
        { file, field },
      );
    }
  }
}
