/** The playground: a question, up to two adapters that answer it, and how tokens are drawn. */
import { LorikeetError, type ErrorRecord } from '../../protocol/errors.ts';
import type { Media } from '../../protocol/media.ts';
import type { AdapterSource, DecodingSettings, LabelledBox, SamplePreview, WrittenAnswer } from '../../protocol/messages.ts';
import { checkSetting, type SettingProblem } from '../settings/layers.ts';
import { adapterKey } from './adapters.svelte.ts';
import { settings } from './settings.svelte.ts';
import { trainer } from './trainer.svelte.ts';

export type SideName = 'left' | 'right';
export const SIDES: readonly SideName[] = ['left', 'right'];

/** Drawing settings that are numbers. */
export type DecodingNumber = Exclude<keyof DecodingSettings, 'do_sample'>;

/** One of the two that answer. */
export class Side {
  /** Null = the base model. */
  adapter = $state.raw<AdapterSource | null>(null);
  answer = $state.raw<WrittenAnswer | null>(null);
  error = $state.raw<ErrorRecord | null>(null);
  waiting = $state(false);
  /** Who wrote the answer that is shown; the choice may have changed since. */
  answeredBy = $state<string | null>(null);

  /** True when the shown answer is that of another adapter. */
  get stale(): boolean {
    return this.answeredBy !== null && this.answeredBy !== adapterKey(this.adapter);
  }

  clear(): void {
    this.answer = null;
    this.error = null;
    this.answeredBy = null;
  }
}

/** Where the question's pictures and clips come from. */
export type Origin = { kind: 'file'; name: string } | { kind: 'sample'; id: string };

class Playground {
  media = $state.raw<readonly Media<Blob>[]>([]);
  origin = $state.raw<Origin | null>(null);
  prompt = $state('');
  /** What the dataset says of the chosen sample. */
  truth = $state.raw<{ text: string; boxes: readonly LabelledBox[] } | null>(null);
  readonly left = new Side();
  readonly right = new Side();
  /** One side alone answers when off. */
  both = $state(true);
  decoding = $state<Record<DecodingNumber, unknown> & { do_sample: boolean }>({
    do_sample: false,
    temperature: 0.7,
    top_k: 0,
    top_p: 0.9,
    repetition_penalty: 1,
    seed: 42,
    max_new_tokens: 256,
  });
  /** The side that writes now. */
  writing = $state<SideName | null>(null);
  #turn = 0;
  #stopped = false;
  #chosenByHand = false;

  constructor() {
    trainer.subscribe((event) => {
      if (event.type === 'tokens' && event.turn === this.#turn && this.writing) this[this.writing].answer = event.answer;
    });
  }

  get sides(): readonly SideName[] {
    return this.both ? SIDES : ['left'];
  }

  /** Settings whose values cannot be used. */
  get problems(): Partial<Record<DecodingNumber, SettingProblem>> {
    const { do_sample, ...numbers } = this.decoding;
    const inUse = (key: DecodingNumber) => do_sample || key === 'max_new_tokens' || key === 'repetition_penalty';
    const found = (Object.keys(numbers) as DecodingNumber[]).flatMap((key) => {
      const problem = inUse(key) ? checkSetting(key, numbers[key]) : null;
      return problem ? [[key, problem] as const] : [];
    });
    return Object.fromEntries(found);
  }

  /** Asks about a picture or clip of the user's own. */
  useMedium(medium: Media<Blob>, name: string): void {
    this.media = [medium];
    this.origin = { kind: 'file', name };
    this.truth = null;
    this.#forgetAnswers();
  }

  /** Asks what a sample of the dataset asks. */
  useSample({ id, media, turns, boxes }: SamplePreview): void {
    this.media = media;
    this.origin = { kind: 'sample', id };
    const question = turns.findLast(({ role }) => role === 'user');
    const answer = turns.at(-1);
    this.prompt = question?.text.trim() ?? '';
    this.truth = answer?.role === 'assistant' ? { text: answer.text, boxes } : null;
    this.#forgetAnswers();
  }

  removeMedia(): void {
    this.media = [];
    this.origin = null;
    this.truth = null;
    this.#forgetAnswers();
  }

  /** Sets the base model against an adapter. */
  compareWith(adapter: AdapterSource): void {
    this.left.adapter = null;
    this.right.adapter = adapter;
    this.both = true;
    this.#chosenByHand = true;
  }

  /** The same, unless the user has chosen already. */
  suggest(adapter: AdapterSource | null): void {
    if (!this.#chosenByHand && adapter) this.right.adapter = adapter;
  }

  choose(side: SideName, adapter: AdapterSource | null): void {
    this[side].adapter = adapter;
    this.#chosenByHand = true;
  }

  /** Lets each side answer, one after the other; a side that cannot says why and does not hold up the other. */
  async ask(): Promise<void> {
    const config = settings.config;
    if (this.writing || !config || Object.keys(this.problems).length > 0) return;
    this.#stopped = false;
    const decoding = { ...this.decoding } as DecodingSettings;
    for (const name of this.sides) {
      this[name].clear();
      this[name].waiting = true;
    }
    for (const name of this.sides) {
      const side = this[name];
      side.waiting = false;
      if (this.#stopped) continue;
      this.writing = name;
      side.answeredBy = adapterKey(side.adapter);
      const turn = ++this.#turn;
      try {
        side.answer = await trainer.request({ type: 'generate', turn, media: [...this.media], prompt: this.prompt, adapter: side.adapter, decoding, config });
      } catch (error) {
        side.error = LorikeetError.from(error).toRecord();
      }
    }
    this.writing = null;
    trainer.endTask('model');
  }

  /** Ends the answer that is being written and those that would follow. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await trainer.request({ type: 'stopGenerating' }).catch(() => undefined);
  }

  #forgetAnswers(): void {
    if (this.writing) return;
    for (const name of SIDES) this[name].clear();
  }
}

export const playground = new Playground();
