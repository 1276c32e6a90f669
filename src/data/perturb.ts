/** Wrong answers made from right ones: five ways to spoil a detection answer, and preference pairs made with them. */
import type { Box } from '../objectives/detection-answer.ts';
import { answerOf, type Conversation, messageText, promptOf } from '../processing/conversation.ts';
import { PhiloxSequence } from '../processing/philox.ts';
import type { ErrorPlace } from '../protocol/errors.ts';
import { type AnswerItem, type AnswerLayout, parseLayout, renderLayout, withValues } from './answer-layout.ts';
import { AnswerVocabulary } from './answer-vocabulary.ts';
import type { DatasetSample } from './dataset.ts';

/** One box moved or resized; one object of another category; one of another status; one left out; one made up. */
export const PERTURBATIONS = ['wrong_bbox', 'wrong_category', 'wrong_status', 'missing', 'extra'] as const;
export type Perturbation = (typeof PERTURBATIONS)[number];

/** A pair as one record of a preference dataset; reading it gives back the sample's conversation. */
export interface PairRecord {
  id: string;
  image?: string;
  images?: string[];
  /** Paths, or lists of frames. */
  videos?: (string | string[] | { video: string[]; fps: number })[];
  /** Text, or turns where the prompt has several or an image inside its text. */
  prompt: string | { role: string; content: string }[];
  chosen: string;
  rejected: string;
  kind: Perturbation;
}

export interface PairOptions {
  seed: number;
  kinds: readonly Perturbation[];
  /** Pairs to make from each sample, as far as it allows. */
  perSample: number;
}

/** Why no pair was made: its answer is in no known format, or none of the kinds can be applied to it. */
export type PairRefusal = 'unknown-format' | 'no-kind-applies';

export interface MadePairs {
  pairs: PairRecord[];
  counts: Record<Perturbation, number>;
  /** Samples without a pair. */
  refused: { id: string; place: ErrorPlace; reason: PairRefusal }[];
}

/** Largest change of a box, in thousandths. */
const MAX_SHIFT = 100;
const MAX_RESIZE = 50;
/** Made-up boxes: where they may begin and how large they are, in thousandths. */
const EXTRA_START = 700;
const EXTRA_SIZE = { min: 50, max: 300 };
/** How often a draw that changes nothing is repeated. */
const MAX_DRAWS = 20;
/** Separates these random numbers from other uses of the same seed. */
const PURPOSE_PERTURB = 5;

/**
 * Makes preference pairs from samples with detection answers. Categories and statuses for wrong answers are those of
 * the samples themselves. The same samples and options give the same pairs; chosen and rejected always differ, and so do
 * the rejected answers of one sample.
 * @param samples conversations that end with an answer
 */
export function makePairs(samples: readonly DatasetSample[], { seed, kinds, perSample }: PairOptions): MadePairs {
  const layouts = samples.map(({ conversation }) => parseLayout(answerOf(conversation)));
  const vocabulary = new AnswerVocabulary(layouts.filter((layout) => layout !== null));
  const made: MadePairs = { pairs: [], counts: { wrong_bbox: 0, wrong_category: 0, wrong_status: 0, missing: 0, extra: 0 }, refused: [] };
  samples.forEach((sample, index) => {
    const layout = layouts[index];
    const chosen = answerOf(sample.conversation);
    const answers = new Map<string, Perturbation>();
    if (layout) {
      const random = new PhiloxSequence(seed, index, PURPOSE_PERTURB);
      const order = [...random.permutation(kinds.length)].map((i) => kinds[i]);
      let before = -1;
      // Another round only after one that made something.
      while (answers.size < perSample && answers.size > before) {
        before = answers.size;
        for (const kind of order) {
          if (answers.size >= perSample) break;
          const answer = draw(layout, kind, vocabulary, random, (text) => text !== chosen && !answers.has(text));
          if (answer !== null) answers.set(answer, kind);
        }
      }
    }
    if (answers.size === 0) made.refused.push({ id: sample.id, place: sample.place, reason: layout ? 'no-kind-applies' : 'unknown-format' });
    let number = 0;
    for (const [rejected, kind] of answers) {
      made.counts[kind]++;
      made.pairs.push({ id: `${sample.id}/${++number}`, ...promptFields(sample), chosen, rejected, kind });
    }
  });
  return made;
}

/** A spoilt answer that `accept` takes; null if the kind cannot be applied or every draw was refused. */
function draw(layout: AnswerLayout, kind: Perturbation, vocabulary: AnswerVocabulary, random: PhiloxSequence, accept: (text: string) => boolean): string | null {
  const texts = vocabulary.textsOf(layout.format);
  for (let i = 0; i < MAX_DRAWS; i++) {
    const items = SPOILERS[kind](layout, vocabulary, random);
    if (items === null) return null;
    const text = renderLayout(layout, items, texts);
    if (accept(text)) return text;
  }
  return null;
}

/** Null where the kind cannot be applied to the answer. */
type Spoiler = (layout: AnswerLayout, vocabulary: AnswerVocabulary, random: PhiloxSequence) => AnswerItem[] | null;

const SPOILERS: Readonly<Record<Perturbation, Spoiler>> = {
  wrong_bbox: (layout, _vocabulary, random) => changeOne(layout, random, ({ values }) => ({ box: moved(values.box, random) })),

  wrong_category: (layout, vocabulary, random) =>
    changeOne(layout, random, ({ values }) => {
      const category = pick(vocabulary.categoriesBut(values.category), random);
      return category === null ? null : { category };
    }),

  wrong_status: (layout, vocabulary, random) =>
    changeOne(layout, random, ({ values }) => {
      const status = values.status === null ? null : pick(vocabulary.statusesBut(values.category, values.status), random);
      return status === null ? null : { status };
    }),

  missing({ items }, _vocabulary, random) {
    if (items.length === 0) return null;
    const gone = random.below(items.length);
    return items.filter((_, i) => i !== gone);
  },

  extra({ items, format }, vocabulary, random) {
    const template = pick(items.length > 0 ? items : vocabulary.itemsOf(format), random);
    const category = pick(vocabulary.categories, random);
    if (template === null || category === null) return null;
    const status = pick(vocabulary.statusesOf(category), random) ?? undefined;
    return [...items, withValues(template, format, { category, ...(status !== undefined && { status }), box: madeUp(random) })];
  },
};

function changeOne({ items, format }: AnswerLayout, random: PhiloxSequence, change: (item: AnswerItem) => Partial<AnswerItem['values']> | null): AnswerItem[] | null {
  if (items.length === 0) return null;
  // From a random object on, the first that can be changed.
  const start = random.below(items.length);
  for (let step = 0; step < items.length; step++) {
    const at = (start + step) % items.length;
    const changes = change(items[at]);
    if (changes) return items.map((item, i) => (i === at ? withValues(item, format, changes) : item));
  }
  return null;
}

/** Shifted by up to ±100 and resized by up to ±50, inside the image, with area. */
function moved([x1, y1, x2, y2]: Box, random: PhiloxSequence): Box {
  const [left, right] = movedSpan(x1, x2, random);
  const [top, bottom] = movedSpan(y1, y2, random);
  return [left, top, right, bottom];
}

function movedSpan(from: number, to: number, random: PhiloxSequence): [number, number] {
  const shift = between(-MAX_SHIFT, MAX_SHIFT, random);
  const grow = between(-MAX_RESIZE, MAX_RESIZE, random);
  const start = clamp(Math.round(from) + shift, 0, 999);
  return [start, clamp(Math.round(to) + shift + grow, start + 1, 1000)];
}

function madeUp(random: PhiloxSequence): Box {
  const x = between(0, EXTRA_START, random);
  const y = between(0, EXTRA_START, random);
  return [x, y, x + between(EXTRA_SIZE.min, EXTRA_SIZE.max, random), y + between(EXTRA_SIZE.min, EXTRA_SIZE.max, random)];
}

/** Uniform whole number, both ends included. */
function between(min: number, max: number, random: PhiloxSequence): number {
  return min + random.below(max - min + 1);
}

function clamp(value: number, min: number, max: number): number {
  return Math.min(max, Math.max(min, value));
}

function pick<T>(items: readonly T[], random: PhiloxSequence): T | null {
  return items.length === 0 ? null : items[random.below(items.length)];
}

function promptFields({ conversation, media }: DatasetSample): Pick<PairRecord, 'image' | 'images' | 'videos' | 'prompt'> {
  const prompt = promptOf(conversation);
  const paths = media.flatMap((medium) => (medium.kind === 'image' ? [medium.file.path] : []));
  const clips = media.flatMap((medium) => (medium.kind === 'image' ? [] : [clipField(medium)]));
  const images = paths.length === 0 ? {} : paths.length === 1 ? { image: paths[0] } : { images: paths };
  const videos = clips.length > 0 && { videos: clips };
  return { ...images, ...videos, prompt: isPlain(prompt) ? messageText(prompt[0]) : prompt.map((message) => ({ role: message.role, content: marked(message) })) };
}

function clipField(clip: Exclude<DatasetSample['media'][number], { kind: 'image' }>): NonNullable<PairRecord['videos']>[number] {
  if (clip.kind === 'video') return clip.file.path;
  const frames = clip.files.map(({ path }) => path);
  return clip.fps === null ? frames : { video: frames, fps: clip.fps };
}

/** One question with its pictures in front, then its clips: a text alone says it all. */
function isPlain(prompt: Conversation): boolean {
  const [first, ...others] = prompt;
  const text = first.content.findIndex((part) => part.type === 'text');
  const order = first.content.map(({ type }) => type).join(' ');
  return others.length === 0 && text >= 0 && text === first.content.length - 1 && !/video.*image/.test(order);
}

/** Text with `<image>` and `<video>` where they go; the line breaks that readers drop around it are added. */
function marked({ content }: Conversation[number]): string {
  return content.map((part) => (part.type === 'text' ? part.text : `\n<${part.type}>\n`)).join('');
}
