/** One column of plain values in one row group -> a value, or nested lists of them, for every row. */
import { assembleLists } from 'hyparquet/src/assemble.js';
import type { PageHeader } from 'hyparquet';
import { Body } from './body.ts';
import { Damage, expectBetween } from './damage.ts';
import type { Chunk, Leaf } from './footer.ts';
import { pagesOf, type Page } from './pages.ts';
import { readRuns } from './runs.ts';
import { readDictionary, readValues, sized } from './values.ts';

export interface LeafRows {
  /** In the nesting that `assembleNested` takes. */
  rows: unknown[];
  /** Bytes that were unpacked, pictures and clips apart. */
  unpacked: number;
  /** Bytes of pictures and clips that are held in memory. */
  held: number;
}

/**
 * @param wanted rows that are needed: reading ends when they are there
 * @param rest called between pages
 * @throws Damage, or what the decoders throw, for pages that cannot be understood
 */
export async function readLeaf(file: Blob, chunk: Chunk, wanted: number, rest: () => Promise<void> | undefined): Promise<LeafRows> {
  const { leaf, codec } = chunk;
  let rows: unknown[] = [];
  let dictionary: unknown[] | null = null;
  let unpacked = 0;
  let held = 0;
  for await (const page of pagesOf(file, chunk)) {
    const due = rest();
    if (due) await due;
    const { header } = page;
    if (header.type === 'INDEX_PAGE') continue;
    if (header.type === 'DICTIONARY_PAGE') {
      const body = Body.unpack(file, page.at, codec, page.bytes, header.uncompressed_page_size);
      dictionary = readDictionary(body, leaf, expectBetween(header.dictionary_page_header?.num_values ?? -1, 0, body.bytes.length * 8, 'the number of values of a dictionary'));
      held += body.held;
      unpacked += body.bytes.length;
      continue;
    }
    const read = header.data_page_header_v2 ? secondForm(file, page, chunk) : firstForm(file, page, chunk);
    checkLevels(read, leaf, rows.length === 0);
    const present = read.definition ? read.definition.reduce((sum, level) => sum + Number(level === leaf.maxDefinition), 0) : read.count;
    const values = readValues(read.body, read.at, leaf, read.encoding, present, dictionary);
    rows = joined(rows, read, values, leaf);
    held += read.body.held;
    unpacked += read.body.bytes.length;
    // The last row may go on in the next page.
    if (rows.length > wanted) break;
  }
  return { rows, unpacked: leaf.binary ? 0 : unpacked, held };
}

interface Read {
  count: number;
  encoding: string;
  body: Body;
  /** Where its values begin. */
  at: number;
  repetition: Uint32Array | null;
  definition: Uint32Array | null;
}

/** Levels and values packed together. */
function firstForm(file: Blob, { header, bytes, at: origin }: Page, { leaf, codec }: Chunk): Read {
  const own = header.data_page_header;
  if (!own) throw new Damage(`a page of the unknown kind ${header.type}`);
  const count = own.num_values;
  const body = Body.unpack(file, origin, codec, bytes, header.uncompressed_page_size);
  let at = 0;
  const levels = (most: number, encoding: string): Uint32Array | null => {
    if (most === 0) return null;
    if (encoding !== 'RLE') throw new Damage(`levels in the encoding ${encoding} are not read`);
    const { bytes: runs, end } = sized(body.bytes, at);
    at = end;
    return readRuns(runs, widthOf(most), count);
  };
  const repetition = levels(leaf.maxRepetition, own.repetition_level_encoding);
  const definition = levels(leaf.maxDefinition, own.definition_level_encoding);
  return { count, encoding: own.encoding, body, at, repetition, definition };
}

/** Levels as they are, then the values, packed or not. */
function secondForm(file: Blob, { header, bytes, at: origin }: Page, { leaf, codec }: Chunk): Read {
  const own: NonNullable<PageHeader['data_page_header_v2']> = header.data_page_header_v2!;
  const count = own.num_values;
  const first = expectBetween(own.repetition_levels_byte_length, 0, bytes.length, 'the length of levels');
  const start = first + expectBetween(own.definition_levels_byte_length, 0, bytes.length - first, 'the length of levels');
  const levels = (most: number, from: number, to: number) => (most === 0 ? null : readRuns(bytes.subarray(from, to), widthOf(most), count));
  const length = expectBetween(header.uncompressed_page_size - start, 0, header.uncompressed_page_size, 'the length of values');
  // What packs to nothing is no valid stream.
  const isPacked = own.is_compressed !== false && length > 0;
  const body = Body.unpack(file, origin + start, isPacked ? codec : 'UNCOMPRESSED', bytes.slice(start), length);
  return { count, encoding: own.encoding, body, at: 0, repetition: levels(leaf.maxRepetition, 0, first), definition: levels(leaf.maxDefinition, first, start) };
}

const widthOf = (most: number) => 32 - Math.clz32(most);

function checkLevels({ repetition, definition }: Read, leaf: Leaf, isFirst: boolean): void {
  if (repetition?.some((level) => level > leaf.maxRepetition) || definition?.some((level) => level > leaf.maxDefinition)) throw new Damage('values are nested more deeply than the column is');
  if (isFirst && repetition && repetition[0] > 0) throw new Damage('the first row has no beginning');
}

/** Rows so far, and those of a page; nested ones may begin within the last row. */
function joined(rows: unknown[], { count, repetition, definition }: Read, values: unknown[], { path, maxDefinition }: Leaf): unknown[] {
  if (count === 0) return rows;
  if (maxDefinition === 0 || (!repetition && definition?.every((level) => level === maxDefinition) && path.length === 2)) return rows.length === 0 ? values : rows.concat(values);
  return assembleLists(rows, Array.from(definition ?? []), Array.from(repetition ?? []), values, [...path]) as unknown[];
}
