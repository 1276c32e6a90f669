/**
 * A strict reader for XML data files, piece by piece: elements, attributes, text, comments and CDATA. No document type,
 * and so no entities but the five of the standard and numbered characters; everything has a size limit.
 */
import { LorikeetError } from '../protocol/errors.ts';

export interface XmlHandler {
  /** @param line line on which the tag ends, from 1 */
  open(name: string, attributes: ReadonlyMap<string, string>, line: number): void;
  /** @param text all text between the tags, without that of inner elements */
  close(name: string, text: string, line: number): void;
}

const MAX_MARKUP_CHARACTERS = 1 << 20;
const MAX_TEXT_CHARACTERS = 1 << 20;
const MAX_DEPTH = 64;
const MAX_ATTRIBUTES = 256;

const NAME = /[A-Za-z_][\w.:-]*/y;
const ATTRIBUTE = /\s+([A-Za-z_][\w.:-]*)\s*=\s*(?:"([^"<]*)"|'([^'<]*)')/y;
const ENTITY = /&(?:#(\d{1,7})|#x([0-9A-Fa-f]{1,6})|([A-Za-z]+));|&/g;
const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };
/** Markup that is not an element: how it begins and ends. */
const SECTIONS = [
  ['<!--', '-->'],
  ['<![CDATA[', ']]>'],
  ['<?', '?>'],
] as const;

export class XmlReader {
  private rest = '';
  private line = 1;
  private rootSeen = false;
  private readonly open: { name: string; text: string }[] = [];

  constructor(
    private readonly handler: XmlHandler,
    private readonly file: string,
  ) {}

  /** Takes the next piece of the file. @throws LorikeetError "file-corrupt" with the line */
  write(piece: string): void {
    this.rest += piece;
    let from = 0;
    while (from < this.rest.length) {
      const end = this.rest[from] === '<' ? this.markup(from) : this.characters(from);
      if (end < 0) break;
      this.line += countLines(this.rest, from, end);
      from = end;
    }
    this.rest = this.rest.slice(from);
    if (this.rest.length > MAX_MARKUP_CHARACTERS) throw this.fault('a tag or text is longer than any real one');
  }

  /** Says that the file has ended. @throws LorikeetError "file-corrupt" when it is cut off */
  end(): void {
    if (this.rest !== '') this.characters(0, true);
    if (this.open.length > 0) throw this.fault(`it ends inside <${this.open.at(-1)!.name}>`, 'Export it again; it may be cut off.');
    if (!this.rootSeen) throw this.fault('it holds no elements');
  }

  /** Text up to the next tag; -1 where the tag has not arrived yet. */
  private characters(from: number, last = false): number {
    if (last && this.rest[from] === '<') throw this.fault('it ends inside a tag', 'Export it again; it may be cut off.');
    let end = this.rest.indexOf('<', from);
    if (end < 0 && !last) return -1;
    if (end < 0) end = this.rest.length;
    this.addText(this.decode(this.rest.slice(from, end)));
    return end;
  }

  /** Markup that begins here; -1 where its end has not arrived yet. */
  private markup(from: number): number {
    const { rest } = this;
    for (const [start, stop] of SECTIONS) {
      const seen = rest.slice(from, from + start.length);
      if (seen !== start) {
        if (start.startsWith(seen)) return -1;
        continue;
      }
      const end = rest.indexOf(stop, from + start.length);
      if (end < 0) return -1;
      if (start === '<![CDATA[') this.addText(rest.slice(from + start.length, end));
      return end + stop.length;
    }
    if (rest[from + 1] === '!') throw this.fault('it has a document type, which is not read', 'Remove the <!…> part.');
    const end = tagEnd(rest, from);
    if (end < 0) return -1;
    this.tag(rest.slice(from + 1, end), this.line + countLines(rest, from, end));
    return end + 1;
  }

  private tag(body: string, line: number): void {
    const closing = body.startsWith('/');
    const alone = body.endsWith('/');
    NAME.lastIndex = closing ? 1 : 0;
    const name = NAME.exec(body)?.[0];
    if (name === undefined) throw this.fault('a tag has no proper name');
    const attributes = new Map<string, string>();
    let at = NAME.lastIndex;
    const stop = alone && !closing ? body.length - 1 : body.length;
    for (ATTRIBUTE.lastIndex = at; !closing; at = ATTRIBUTE.lastIndex) {
      const match = ATTRIBUTE.exec(body);
      if (!match) break;
      if (attributes.has(match[1])) throw this.fault(`<${name}> has "${match[1]}" twice`);
      if (attributes.size >= MAX_ATTRIBUTES) throw this.fault(`<${name}> has more than ${MAX_ATTRIBUTES} attributes`);
      attributes.set(match[1], this.decode(match[2] ?? match[3]));
    }
    if (body.slice(at, stop).trim() !== '') throw this.fault(`the tag <${body.slice(0, 60)}> cannot be read`);
    if (closing) this.closeElement(name, line);
    else {
      this.openElement(name, attributes, line);
      if (alone) this.closeElement(name, line);
    }
  }

  private openElement(name: string, attributes: ReadonlyMap<string, string>, line: number): void {
    if (this.open.length === 0 && this.rootSeen) throw this.fault(`<${name}> stands after the end of the document`);
    if (this.open.length >= MAX_DEPTH) throw this.fault(`elements lie more than ${MAX_DEPTH} deep in each other`);
    this.rootSeen = true;
    this.open.push({ name, text: '' });
    this.handler.open(name, attributes, line);
  }

  private closeElement(name: string, line: number): void {
    const element = this.open.pop();
    if (element?.name !== name) throw this.fault(`</${name}> closes ${element ? `<${element.name}>` : 'nothing'}`);
    this.handler.close(name, element.text, line);
  }

  private addText(text: string): void {
    const element = this.open.at(-1);
    if (!element) {
      if (text.replace('\ufeff', '').trim() !== '') throw this.fault('text stands outside of all elements');
      return;
    }
    element.text += text;
    if (element.text.length > MAX_TEXT_CHARACTERS) throw this.fault(`the text of <${element.name}> is longer than any real one`);
  }

  private decode(text: string): string {
    return text.replace(ENTITY, (whole: string, decimal?: string, hexadecimal?: string, name?: string) => {
      if (name !== undefined && Object.hasOwn(ENTITIES, name)) return ENTITIES[name];
      const code = decimal !== undefined ? Number(decimal) : hexadecimal !== undefined ? parseInt(hexadecimal, 16) : 0;
      if (code === 0 || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) throw this.fault(`${JSON.stringify(whole)} is no known character`, 'Write & as &amp;.');
      return String.fromCodePoint(code);
    });
  }

  private fault(what: string, advice = 'Export the file again.'): LorikeetError {
    return new LorikeetError('file-corrupt', `${this.file}, line ${this.line}: ${what}.`, advice, { file: this.file, line: this.line });
  }
}

/** The ">" that ends a tag, quoted ones skipped; -1 if it has not arrived yet. */
function tagEnd(text: string, from: number): number {
  let quote = '';
  for (let i = from + 1; i < text.length; i++) {
    const c = text[i];
    if (quote !== '') {
      if (c === quote) quote = '';
    } else if (c === '"' || c === "'") quote = c;
    else if (c === '>') return i;
  }
  return -1;
}

function countLines(text: string, from: number, to: number): number {
  let count = 0;
  for (let i = from; i < to; i++) if (text.charCodeAt(i) === 10) count++;
  return count;
}
