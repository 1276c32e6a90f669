/** Answers to any prompt, pictures and clips, outside of runs: by the base model, or with an adapter. */
import { patternsInUse } from '../checkpoint/module-ranks.ts';
import { boxUnitOf, type TrainingConfig } from '../protocol/config.ts';
import { LorikeetError } from '../protocol/errors.ts';
import type { Media } from '../protocol/media.ts';
import type { LabelledBox, Replies, Request, TrainerEvent, WrittenAnswer } from '../protocol/messages.ts';
import type { ContentPart, Conversation } from '../processing/conversation.ts';
import type { Processor } from '../processing/processor.ts';
import type { EncodedSample } from '../processing/types.ts';
import type { GenerationOptions } from '../generation/options.ts';
import type { TrainableModel } from '../training/trainable-model.ts';
import { drawnBoxes, scoredPrompt } from './answers.ts';
import { mediaOptions } from './encoded-dataset.ts';
import type { LoadedModel } from './engine.ts';
import { namedMedia } from './named-media.ts';
import type { OpenModel, SessionModel } from './session-model.ts';
import type { StartingAdapter } from './starting-adapter.ts';

type GenerateRequest = Extract<Request, { type: 'generate' }>;

export class Playground {
  /** Set for the answer that is being written. */
  private current: { stopped: boolean } | null = null;

  constructor(
    private readonly model: SessionModel,
    private readonly publish: (event: TrainerEvent) => void,
  ) {}

  /** Ends the answer that is being written, if any. */
  stop(): void {
    if (this.current) this.current.stopped = true;
  }

  /**
   * Writes one answer; publishes it as it grows.
   * @param adapter null = the base model alone
   * @throws LorikeetError "config" without a model or a prompt, "sample-too-long", "image", "out-of-memory"
   */
  async generate({ turn, media, prompt, decoding, config }: GenerateRequest, adapter: StartingAdapter | null): Promise<Replies['generate']> {
    const current = { stopped: false };
    this.current = current;
    try {
      const start = performance.now();
      const open = this.model.require();
      const encoded = await encodeQuestion(open, prompt, media, config);
      const model = await attach(await this.model.quantized(config), config, adapter);
      const { imageSize } = scoredPrompt({ conversation: [] }, encoded.media, open.processor.preprocessor.patchSize);
      const writing = new Writing(open.processor, start, (text) => drawnBoxes(text, boxUnitOf(config), { imageSize }));
      const [answer] = await model.generate(await open.processor.pack([encoded]), [encoded.ropeDelta], {
        maxNewTokens: decoding.max_new_tokens,
        stopIds: open.processor.stopIds,
        numGenerations: 1,
        ...drawing(decoding),
        adapter: adapter ? 'policy' : 'base',
        onTokens: ([fresh]) => {
          writing.add(fresh);
          this.publish({ type: 'tokens', turn, answer: writing.answer(null) });
          return !current.stopped;
        },
      });
      const ended = answer.stopId !== null ? 'stop' : current.stopped ? 'request' : 'length';
      return writing.whole(answer.ids, ended);
    } finally {
      this.current = null;
    }
  }
}

/** The prompt after its pictures and clips, as a conversation of one turn. The demo model was taught prompts that begin with a line break after the image. */
async function encodeQuestion({ source, processor }: OpenModel, prompt: string, media: readonly Media<Blob>[], config: TrainingConfig): Promise<EncodedSample> {
  if (prompt.trim() === '') throw new LorikeetError('config', 'There is no prompt.', 'Write what the model should do.', { field: 'prompt' });
  const text = source.kind === 'demo' && media.length > 0 ? `\n${prompt}` : prompt;
  const parts = media.map(({ kind }, index): ContentPart => ({ type: kind === 'image' ? 'image' : 'video', index }));
  const conversation: Conversation = [{ role: 'user', content: [...parts, { type: 'text', text }] }];
  return processor.encodePrompt({ id: 'prompt', conversation, media: namedMedia(media) }, { maxLength: config.max_length, enableThinking: config.enable_thinking, ...mediaOptions(config) });
}

/** The model with that adapter; without one, with a small one that answers do not use. */
async function attach(loaded: LoadedModel, config: TrainingConfig, starting: StartingAdapter | null): Promise<TrainableModel> {
  if (!starting) return loaded.attachAdapter({ ...config, r: 1, rank_pattern: {}, alpha_pattern: {} });
  const { config: adapted, modules } = starting.adapter;
  const { r, lora_alpha, use_rslora } = adapted;
  const model = await loaded.attachAdapter({ ...config, r, lora_alpha, use_rslora, ...patternsInUse(modules, adapted), lora_dropout: 0, target_modules: modules });
  await model.writeAdapter(starting.adapter.tensors);
  return model;
}

function drawing({ do_sample, temperature, top_k, top_p, repetition_penalty, seed }: GenerateRequest['decoding']): Pick<GenerationOptions, 'sampling' | 'repetitionPenalty'> {
  if (!do_sample) return { sampling: null, repetitionPenalty: repetition_penalty };
  return { sampling: { temperature, topK: top_k, topP: top_p, repetitionPenalty: repetition_penalty, seed, firstSequence: 0 } };
}

/** An answer as it grows, with its speed. */
class Writing {
  private ids: number[] = [];
  private first: { at: number; tokens: number } | null = null;
  private last = 0;

  constructor(
    private readonly processor: Processor,
    private readonly start: number,
    private readonly boxes: (text: string) => LabelledBox[],
  ) {}

  add(fresh: readonly number[]): void {
    if (fresh.length === 0) return;
    this.ids.push(...fresh);
    this.last = performance.now();
    // The first tokens have waited for the prompt: they say nothing about the speed of writing.
    this.first ??= { at: this.last, tokens: this.ids.length };
  }

  answer(ended: WrittenAnswer['ended']): WrittenAnswer {
    const { ids, first, last } = this;
    const written = this.processor.decode(ids);
    // The bytes of one character may lie in two tokens.
    const text = ended === null ? written.replace(/\uFFFD+$/, '') : written;
    const seconds = first && last > first.at ? (last - first.at) / 1000 : null;
    return {
      text,
      boxes: this.boxes(text),
      tokens: ids.length,
      seconds: (performance.now() - this.start) / 1000,
      tokensPerSecond: first && seconds ? (ids.length - first.tokens) / seconds : null,
      ended,
    };
  }

  /** The finished answer; its ids are those that count. */
  whole(ids: readonly number[], ended: WrittenAnswer['ended']): WrittenAnswer {
    this.ids = [...ids];
    return this.answer(ended);
  }
}
