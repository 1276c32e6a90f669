/** Text <-> token ids, exactly as the checkpoint's tokenizer.json says. */
import { Tokenizer as HubTokenizer } from '@huggingface/tokenizers';
import * as v from 'valibot';
import { LorikeetError } from '../protocol/errors.ts';

const addedToken = v.object({
  id: v.pipe(v.number(), v.integer(), v.minValue(0)),
  content: v.pipe(v.string(), v.minLength(1)),
  special: v.optional(v.boolean(), false),
  lstrip: v.optional(v.literal(false)),
  rstrip: v.optional(v.literal(false)),
  single_word: v.optional(v.literal(false)),
});

/** The parts that this module itself relies on; the library reads the rest. */
const tokenizerSchema = v.object({
  model: v.object({ type: v.optional(v.literal('BPE')), vocab: v.custom<object>((x) => typeof x === 'object' && x !== null && !Array.isArray(x), 'expected an object') }),
  added_tokens: v.array(addedToken),
  decoder: v.object({ type: v.literal('ByteLevel') }),
});

/** One stretch of text and its tokens: either a single added token such as <|im_end|>, or ordinary text. */
interface Segment {
  /** Offsets in the text, in UTF-16 units. */
  start: number;
  end: number;
  ids: number[];
  added: boolean;
}

/** Token ids together with where each token begins. */
export interface EncodedText {
  ids: number[];
  /**
   * Index of the first token that begins at or after the given offset of the text (UTF-16 units).
   * Exact for offsets next to an added token or after a line break, where normalisation never joins characters.
   */
  tokenAt: (offset: number) => number;
}

export class Tokenizer {
  private readonly addedPattern: RegExp | null;
  private readonly addedIds: ReadonlyMap<string, number>;
  private readonly encoder = new TextEncoder();

  private constructor(
    private readonly inner: HubTokenizer,
    added: readonly { id: number; content: string }[],
    /** The largest id that it can give. */
    readonly lastId: number,
  ) {
    this.addedIds = new Map(added.map((token) => [token.content, token.id]));
    const longestFirst = [...this.addedIds.keys()].sort((a, b) => b.length - a.length);
    this.addedPattern = longestFirst.length > 0 ? new RegExp(longestFirst.map(escapeRegExp).join('|'), 'gu') : null;
  }

  /**
   * @param tokenizer parsed tokenizer.json (byte-level BPE)
   * @param config parsed tokenizer_config.json, {} if the checkpoint has none
   * @throws LorikeetError "tokenizer"
   */
  static fromJson(tokenizer: unknown, config: unknown): Tokenizer {
    const file = 'tokenizer.json';
    const parsed = v.safeParse(tokenizerSchema, tokenizer);
    if (!parsed.success) {
      const field = v.getDotPath(parsed.issues[0]) ?? '';
      throw new LorikeetError(
        'tokenizer',
        `${file}, ${field || 'top level'}: ${parsed.issues[0].message}; only byte-level BPE tokenizers as Qwen's are supported.`,
        'Take tokenizer.json from the model’s original folder.',
        { file, field },
      );
    }
    const lastId = checkIds(parsed.output.model.vocab, parsed.output.added_tokens, file);
    return usable(() => new Tokenizer(new HubTokenizer(tokenizer as object, (config ?? {}) as object), parsed.output.added_tokens, lastId));
  }

  /** Id of one token by its exact content; undefined if the vocabulary lacks it. */
  tokenId(content: string): number | undefined {
    return this.addedIds.get(content) ?? this.inner.token_to_id(content);
  }

  /** Ids of a text. Nothing is added at its ends; special tokens written in the text are recognised. */
  encode(text: string): number[] {
    return this.segments(text).flatMap((segment) => segment.ids);
  }

  /** Like `encode`, with a way from text offsets to tokens. */
  encodeWithOffsets(text: string): EncodedText {
    const segments = this.segments(text);
    const firstToken: number[] = [];
    const ids: number[] = [];
    for (const segment of segments) {
      firstToken.push(ids.length);
      for (const id of segment.ids) ids.push(id);
    }
    const tokenAt = (offset: number): number => {
      const index = segments.findLastIndex((segment) => segment.start <= offset);
      if (index < 0) return 0;
      const segment = segments[index];
      if (offset === segment.start) return firstToken[index];
      if (offset >= segment.end || segment.added) return firstToken[index] + segment.ids.length;
      return firstToken[index] + this.tokensBefore(segment, text.slice(segment.start, offset));
    };
    return { ids, tokenAt };
  }

  /**
   * Text of ids. Bytes that form no character (a cut-off tail) become U+FFFD; ids outside the vocabulary vanish.
   * @param skipSpecial leave out tokens marked as special
   */
  decode(ids: ArrayLike<number>, { skipSpecial = false } = {}): string {
    const known = Array.from(ids).filter((id) => this.inner.id_to_token(id) !== undefined);
    if (known.length === 0) return '';
    return usable(() => this.inner.decode(known, { skip_special_tokens: skipSpecial, clean_up_tokenization_spaces: false }));
  }

  /** Splits at added tokens, then tokenises each stretch between them by itself, as the tokenizer does anyway. */
  private segments(text: string): Segment[] {
    const segments: Segment[] = [];
    const addText = (start: number, end: number) => {
      if (start === end) return;
      segments.push({ start, end, ids: this.encodePlain(text.slice(start, end)), added: false });
    };
    let at = 0;
    for (const match of this.addedPattern ? text.matchAll(this.addedPattern) : []) {
      addText(at, match.index);
      const id = this.addedIds.get(match[0])!;
      at = match.index + match[0].length;
      segments.push({ start: match.index, end: at, ids: [id], added: true });
    }
    addText(at, text.length);
    return segments;
  }

  private encodePlain(text: string): number[] {
    const { ids } = usable(() => this.inner.encode(text, { add_special_tokens: false }));
    if (ids.some((id) => id === undefined)) {
      throw new LorikeetError('tokenizer', `The vocabulary lacks a byte of ${JSON.stringify(text.slice(0, 40))}.`, 'Take tokenizer.json from the model’s original folder.', {
        file: 'tokenizer.json',
      });
    }
    return ids;
  }

  /** Tokens of the segment that begin before the end of `head`; a byte-level token has one character per byte. */
  private tokensBefore(segment: Segment, head: string): number {
    const bytes = this.encoder.encode(usable(() => this.inner.normalizer?.(head)) ?? head).length;
    let passed = 0;
    let count = 0;
    while (count < segment.ids.length && passed < bytes) passed += this.inner.id_to_token(segment.ids[count++])!.length;
    return count;
  }
}

/**
 * What the library makes of fields that this module does not check shows only when it is used.
 * @throws LorikeetError "tokenizer" in place of the library's own errors
 */
function usable<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    const [file, reason] = ['tokenizer.json', error instanceof Error ? error.message : String(error)];
    throw new LorikeetError('tokenizer', `${file} cannot be used: ${reason}`, 'Take tokenizer.json from the model’s original folder.', { file }, { cause: error });
  }
}

/**
 * Every token has an id of its own; an added token may stand in the vocabulary too, with the same id.
 * @returns the largest id
 * @throws LorikeetError "tokenizer" naming the token
 */
function checkIds(vocabulary: object, added: readonly { id: number; content: string }[], file: string): number {
  const contents = new Map<number, string>();
  let last = -1;
  const take = (content: string, id: unknown, field: string): void => {
    const other = typeof id === 'number' ? contents.get(id) : undefined;
    if (!Number.isSafeInteger(id) || (id as number) < 0 || (other !== undefined && other !== content)) {
      const what = other === undefined ? `id ${String(id).slice(0, 40)}` : `the id ${String(id)} of ${JSON.stringify(other.slice(0, 40))}`;
      throw new LorikeetError('tokenizer', `${file}, ${field}: the token ${JSON.stringify(content.slice(0, 40))} has ${what}.`, 'Take tokenizer.json from the model’s original folder.', { file, field });
    }
    contents.set(id as number, content);
    last = Math.max(last, id as number);
  };
  for (const [content, id] of Object.entries(vocabulary)) take(content, id, 'model.vocab');
  for (const { content, id } of added) take(content, id, 'added_tokens');
  return last;
}

function escapeRegExp(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
}
