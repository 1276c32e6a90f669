/**
 * Regular expressions as Python's re writes them, as far as they can be matched in linear time: everything but references
 * to groups, conditionals, looking behind, inline flags, and possessive or atomic repeats. Parses to a tree.
 */

/** Tells whether a UTF-16 unit belongs to a class. */
export type CharTest = (code: number) => boolean;

export type PatternNode =
  | { kind: 'char'; test: CharTest }
  | { kind: 'sequence' | 'choice'; items: PatternNode[] }
  | { kind: 'repeat'; item: PatternNode; min: number; /** Infinity for no limit. */ max: number }
  | { kind: 'look'; item: PatternNode; negative: boolean }
  | { kind: 'start' | 'end' | 'boundary' | 'inside' };

/** What is wrong with an expression, and where. */
export class PatternFault extends Error {
  constructor(
    message: string,
    readonly at: number,
    /** It is fine in Python, but not here. */
    readonly unsupported = false,
  ) {
    super(`${message} at character ${at + 1}`);
  }
}

const MAX_DEPTH = 200;
const MAX_REPEAT = 1000;

const isDigit: CharTest = (code) => code >= 48 && code <= 57;
export const isWord: CharTest = (code) => isDigit(code) || (code >= 65 && code <= 90) || (code >= 97 && code <= 122) || code === 95;
const isSpace: CharTest = (code) => code === 32 || (code >= 9 && code <= 13);
const not = (test: CharTest): CharTest => (code) => !test(code);
const CLASSES: Readonly<Record<string, CharTest>> = { d: isDigit, D: not(isDigit), w: isWord, W: not(isWord), s: isSpace, S: not(isSpace) };
const CONTROLS: Readonly<Record<string, number>> = { n: 10, r: 13, t: 9, f: 12, v: 11, a: 7 };
const only = (code: number): CharTest => (other) => other === code;

/** @throws PatternFault */
export function parsePattern(source: string): PatternNode {
  const reader = new PatternReader(source);
  const node = reader.choice(0);
  if (!reader.atEnd) throw new PatternFault('a closing bracket without its opening one', reader.at);
  return node;
}

class PatternReader {
  at = 0;

  constructor(readonly source: string) {}

  get atEnd(): boolean {
    return this.at >= this.source.length;
  }

  choice(depth: number): PatternNode {
    if (depth > MAX_DEPTH) throw new PatternFault(`more than ${MAX_DEPTH} brackets inside each other`, this.at);
    const items = [this.#sequence(depth)];
    while (this.#take('|')) items.push(this.#sequence(depth));
    return items.length === 1 ? items[0] : { kind: 'choice', items };
  }

  #sequence(depth: number): PatternNode {
    const items: PatternNode[] = [];
    while (!this.atEnd && this.source[this.at] !== '|' && this.source[this.at] !== ')') items.push(this.#repeated(depth));
    return { kind: 'sequence', items };
  }

  #repeated(depth: number): PatternNode {
    const begin = this.at;
    const item = this.#atom(depth);
    const range = this.#range();
    if (!range) return item;
    if (item.kind !== 'char' && item.kind !== 'sequence' && item.kind !== 'choice' && item.kind !== 'repeat' && item.kind !== 'look') throw new PatternFault('nothing to repeat', begin);
    // A repeat is as long as it can be or as short as it can be: for whether all of it matches that is one.
    const lazy = this.#take('?');
    if (!lazy && this.source[this.at] === '+') throw new PatternFault('a possessive repeat', this.at, true);
    if (this.#range()) throw new PatternFault('a repeat of a repeat', this.at);
    return { kind: 'repeat', item, ...range };
  }

  #range(): { min: number; max: number } | null {
    if (this.#take('*')) return { min: 0, max: Infinity };
    if (this.#take('+')) return { min: 1, max: Infinity };
    if (this.#take('?')) return { min: 0, max: 1 };
    const counted = /^\{(\d*)(,?)(\d*)\}/.exec(this.source.slice(this.at, this.at + 24));
    if (!counted || (counted[1] === '' && counted[3] === '')) return null;
    const min = Number(counted[1] || 0);
    const max = counted[2] === '' ? min : counted[3] === '' ? Infinity : Number(counted[3]);
    if (max < min) throw new PatternFault('a repeat whose least is above its most', this.at);
    if (Math.max(min, max === Infinity ? 0 : max) > MAX_REPEAT) throw new PatternFault(`more than ${MAX_REPEAT} repeats`, this.at, true);
    this.at += counted[0].length;
    return { min, max };
  }

  #atom(depth: number): PatternNode {
    const begin = this.at;
    const char = this.source[this.at++];
    switch (char) {
      case '(':
        return this.#group(begin, depth);
      case '[':
        return { kind: 'char', test: this.#set(begin) };
      case '.':
        return { kind: 'char', test: not(only(10)) };
      case '^':
        return { kind: 'start' };
      case '$':
        return { kind: 'end' };
      case '\\':
        return this.#escape(begin);
      case '*':
      case '+':
      case '?':
        throw new PatternFault('nothing to repeat', begin);
      default:
        return { kind: 'char', test: only(char.charCodeAt(0)) };
    }
  }

  #group(begin: number, depth: number): PatternNode {
    let look: boolean | null = null;
    if (this.#take('?')) {
      if (this.#take('=')) look = false;
      else if (this.#take('!')) look = true;
      else if (!this.#take(':')) {
        const name = /^P<[A-Za-z_]\w{0,99}>/.exec(this.source.slice(this.at, this.at + 110));
        if (!name) throw this.#strangeGroup(begin);
        this.at += name[0].length;
      }
    }
    const item = this.choice(depth + 1);
    if (!this.#take(')')) throw new PatternFault('a bracket that is never closed', begin);
    return look === null ? item : { kind: 'look', item, negative: look };
  }

  #strangeGroup(begin: number): PatternFault {
    const rest = this.source.slice(this.at, this.at + 2);
    if (rest === 'P=') return new PatternFault('a reference to a group', begin, true);
    if (rest === '<=' || rest === '<!') return new PatternFault('looking behind', begin, true);
    if (rest[0] === '(') return new PatternFault('a conditional', begin, true);
    if (rest[0] === '>') return new PatternFault('an atomic group', begin, true);
    if (rest[0] === '#') return new PatternFault('a comment', begin, true);
    if (/^[aiLmsux-]/.test(rest)) return new PatternFault('inline flags', begin, true);
    return new PatternFault('an unknown kind of bracket', begin);
  }

  #escape(begin: number): PatternNode {
    const char = this.source[this.at++];
    if (char === undefined) throw new PatternFault('a backslash with nothing behind it', begin);
    if (char === 'A') return { kind: 'start' };
    if (char === 'Z') return { kind: 'end' };
    if (char === 'b') return { kind: 'boundary' };
    if (char === 'B') return { kind: 'inside' };
    if (/[1-9]/.test(char)) throw new PatternFault('a reference to a group', begin, true);
    return { kind: 'char', test: CLASSES[char] ?? only(this.#escapedCode(char, begin)) };
  }

  #escapedCode(char: string, begin: number): number {
    if (Object.hasOwn(CONTROLS, char)) return CONTROLS[char];
    const digits = char === 'x' ? 2 : char === 'u' ? 4 : 0;
    if (digits > 0) {
      const hex = this.source.slice(this.at, this.at + digits);
      if (hex.length !== digits || !/^[0-9a-fA-F]+$/.test(hex)) throw new PatternFault(`an unfinished \\${char}`, begin);
      this.at += digits;
      return parseInt(hex, 16);
    }
    if (/[A-Za-z0-9]/.test(char)) throw new PatternFault(`an unknown escape \\${char}`, begin);
    return char.charCodeAt(0);
  }

  #set(begin: number): CharTest {
    const negative = this.#take('^');
    const tests: CharTest[] = [];
    // A closing bracket that comes first stands for itself.
    for (let first = true; first || this.source[this.at] !== ']'; first = false) {
      if (this.atEnd) throw new PatternFault('a set that is never closed', begin);
      const low = this.#member();
      const ranged = this.source[this.at] === '-' && this.at + 1 < this.source.length && this.source[this.at + 1] !== ']';
      if (!ranged) {
        tests.push(typeof low === 'number' ? only(low) : low);
        continue;
      }
      const place = this.at++;
      const high = this.#member();
      if (typeof low !== 'number' || typeof high !== 'number' || high < low) throw new PatternFault('a range without order', place);
      tests.push((code) => code >= low && code <= high);
    }
    this.at++;
    const any: CharTest = (code) => tests.some((test) => test(code));
    return negative ? not(any) : any;
  }

  #member(): number | CharTest {
    const begin = this.at;
    const char = this.source[this.at++];
    if (char !== '\\') return char.charCodeAt(0);
    const escaped = this.source[this.at++];
    if (escaped === undefined) throw new PatternFault('a backslash with nothing behind it', begin);
    if (escaped === 'b') return 8;
    return CLASSES[escaped] ?? this.#escapedCode(escaped, begin);
  }

  #take(char: string): boolean {
    if (this.source[this.at] !== char) return false;
    this.at++;
    return true;
  }
}
