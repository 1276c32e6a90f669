/**
 * JSON as training scripts leave it behind. Python writes NaN and Infinity bare, and a crash cuts the text anywhere: both
 * are read as far as they go, and the place of a break is named.
 */
import { said } from './notes.ts';
import type { Said } from './notes.ts';

/** Where the text stops being JSON. */
export interface JsonBreak {
  /** From 1. */
  line: number;
  /** UTF-8 bytes before it. */
  byte: number;
  reason: Said;
}

export interface JsonResult {
  /** undefined when not even the beginning of a value could be read. */
  value: unknown;
  break: JsonBreak | null;
}

/** Deeper nesting ends the reading like a break. */
export const MAX_JSON_DEPTH = 100;

/** Reads JSON text; never throws. Objects from broken text have no prototype; repeated keys keep the last value, as in JSON.parse. */
export function readJson(text: string): JsonResult {
  try {
    return { value: JSON.parse(text), break: null };
  } catch {
    return new TolerantReader(text).read();
  }
}

/** Line and byte of a position in a text. */
export function placeOf(text: string, position: number): { line: number; byte: number } {
  let line = 1;
  for (let i = text.indexOf('\n'); i !== -1 && i < position; i = text.indexOf('\n', i + 1)) line += 1;
  return { line, byte: new TextEncoder().encode(text.slice(0, position)).length };
}

/** Thrown inside only: reading ends here, what was collected so far stays. */
class Stop extends Error {
  constructor(readonly reason: Said) {
    super(reason.key);
  }
}

const ESCAPES: Readonly<Record<string, string>> = { '"': '"', '\\': '\\', '/': '/', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' };
const NUMBER = /-?(?:Infinity|NaN|(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)/y;
const WORDS: readonly (readonly [string, unknown])[] = [['true', true], ['false', false], ['null', null]];

class TolerantReader {
  #at = 0;
  #stop: Said | null = null;

  constructor(private readonly text: string) {}

  read(): JsonResult {
    let value: unknown;
    this.#guard(() => this.#value(0, (read) => (value = read)));
    if (this.#stop === null) {
      this.#space();
      if (this.#at < this.text.length) this.#stop = said('textAfterEnd');
    }
    return { value, break: this.#stop === null ? null : { ...placeOf(this.text, this.#at), reason: this.#stop } };
  }

  #guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof Stop)) throw error;
      this.#stop = error.reason;
    }
  }

  /** Containers are kept before they are complete, so that a break loses nothing that was read. */
  #value(depth: number, keep: (value: unknown) => void): void {
    this.#space();
    const first = this.text[this.#at];
    if (first === undefined) throw new Stop(said('endsBeforeValue'));
    if (first === '{') this.#object(depth, keep);
    else if (first === '[') this.#list(depth, keep);
    else if (first === '"') keep(this.#string());
    else keep(this.#scalar());
  }

  #object(depth: number, keep: (value: unknown) => void): void {
    if (depth >= MAX_JSON_DEPTH) throw new Stop(said('tooDeep', { levels: MAX_JSON_DEPTH }));
    const object = Object.create(null) as Record<string, unknown>;
    keep(object);
    this.#at += 1;
    this.#space();
    if (this.#take('}')) return;
    for (;;) {
      this.#space();
      if (this.text[this.#at] !== '"') throw new Stop(this.#ended() ? said('endsInObject') : said('noKey'));
      const key = this.#string();
      this.#space();
      if (!this.#take(':')) throw new Stop(this.#ended() ? said('endsAfterKey') : said('noColon'));
      this.#value(depth + 1, (value) => (object[key] = value));
      this.#space();
      if (this.#take('}')) return;
      if (!this.#take(',')) throw new Stop(this.#ended() ? said('endsInObject') : said('noCommaInObject'));
    }
  }

  #list(depth: number, keep: (value: unknown) => void): void {
    if (depth >= MAX_JSON_DEPTH) throw new Stop(said('tooDeep', { levels: MAX_JSON_DEPTH }));
    const list: unknown[] = [];
    keep(list);
    this.#at += 1;
    this.#space();
    if (this.#take(']')) return;
    for (;;) {
      const index = list.length;
      this.#value(depth + 1, (value) => (list[index] = value));
      this.#space();
      if (this.#take(']')) return;
      if (!this.#take(',')) throw new Stop(this.#ended() ? said('endsInList') : said('noCommaInList'));
    }
  }

  #string(): string {
    const start = this.#at;
    let text = '';
    this.#at += 1;
    for (;;) {
      const plain = this.#at;
      let code = this.text.charCodeAt(this.#at);
      while (code >= 0x20 && code !== 0x22 && code !== 0x5c) code = this.text.charCodeAt(++this.#at);
      text += this.text.slice(plain, this.#at);
      if (code === 0x22) {
        this.#at += 1;
        return text;
      }
      if (code !== 0x5c) {
        const ended = this.#ended();
        if (ended) this.#at = start;
        throw new Stop(ended ? said('stringNeverEnds') : said('controlCharacter'));
      }
      text += this.#escape();
    }
  }

  #escape(): string {
    const letter = this.text[this.#at + 1];
    if (letter === undefined) throw new Stop(said('endsInString'));
    if (letter === 'u') {
      const digits = this.text.slice(this.#at + 2, this.#at + 6);
      if (!/^[0-9a-fA-F]{4}$/.test(digits)) throw new Stop(said('noHexDigits'));
      this.#at += 6;
      return String.fromCharCode(parseInt(digits, 16));
    }
    if (!Object.hasOwn(ESCAPES, letter)) throw new Stop(said('unknownEscape'));
    this.#at += 2;
    return ESCAPES[letter];
  }

  #scalar(): unknown {
    for (const [word, value] of WORDS) {
      if (this.text.startsWith(word, this.#at)) {
        this.#at += word.length;
        return value;
      }
    }
    NUMBER.lastIndex = this.#at;
    const found = NUMBER.exec(this.text)?.[0];
    if (found === undefined) throw new Stop(this.text.length - this.#at < 8 ? said('endsInValue') : said('noJsonValue'));
    // A number that nothing closes may have lost digits.
    const next = this.text[this.#at + found.length];
    if (next === undefined || !/[\s,\]}]/.test(next)) throw new Stop(said('cutNumber'));
    this.#at += found.length;
    return Number(found);
  }

  #space(): void {
    while (this.text.charCodeAt(this.#at) <= 0x20) this.#at += 1;
  }

  #take(character: string): boolean {
    if (this.text[this.#at] !== character) return false;
    this.#at += 1;
    return true;
  }

  #ended(): boolean {
    return this.#at >= this.text.length;
  }
}
