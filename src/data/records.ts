/** JSON, JSONL, CSV and parquet files -> raw records with their places; nothing is known yet about their fields. */
import { findRepeatedKey } from '../checkpoint/strict-json.ts';
import type { ImageSize } from '../processing/smart-resize.ts';
import type { PathFile } from '../protocol/messages.ts';
import { readChosen } from './chosen-file.ts';
import { LFS_START } from './lfs-pointer.ts';
import { isParquet, parquetRecords } from './parquet-records.ts';
import type { ProblemList } from './problems.ts';
import { resting } from './resting.ts';
import { isTable, readTable } from './table.ts';

export interface RawRecord {
  value: unknown;
  /** JSONL only; from 1. */
  line?: number;
  /** Position in the file, from 1. */
  sample: number;
  /** Where it is another than that of the other records. */
  file?: string;
  /** Size of the picture that was annotated. */
  annotatedSize?: ImageSize;
}

const MAX_FILE_BYTES = 256 * 2 ** 20;
const MAX_RECORDS = 2_000_000;
/** Of a file with one record a line, enough for a first look. */
const HEAD_BYTES = 2 ** 20;

export interface RecordFile {
  records: RawRecord[];
  /** JSONL lines and rows that could not be read. */
  brokenLines: number;
  /** A JSON file that is one object, not a list. */
  document?: object;
  /** Pictures and clips that the file itself holds, under the names that its records give them. */
  media?: PathFile[];
}

/** Said of JSON that is one object or one value. */
export const NO_LIST = 'The file holds no list of samples: expected [ {…}, {…} ] or one {…} per line.';

const NOTHING: RecordFile = { records: [], brokenLines: 0 };

/**
 * Reads the records of a file. What cannot be read is reported: the whole file, or for JSONL the line.
 * @param head so many at most, for a first look; all when left out
 */
export async function readRecords({ path, file }: PathFile, problems: ProblemList, head = Infinity): Promise<RecordFile> {
  if (isParquet(path)) return parquetRecords({ path, file }, problems, head);
  if (file.size > MAX_FILE_BYTES) {
    problems.error(`The file has ${Math.round(file.size / 2 ** 20)} MiB; at most ${MAX_FILE_BYTES / 2 ** 20} MiB are read.`, 'Split it into several files.', { file: path });
    return NOTHING;
  }
  let text: string | null;
  try {
    text = await readChosen(path, async () => readText(Number.isFinite(head) ? await beginningOf(path, file) : file));
  } catch (error) {
    problems.caught(error);
    return NOTHING;
  }
  if (text?.startsWith(LFS_START)) {
    problems.error('This is a Git LFS pointer, not the file itself.', 'Run "git lfs pull" in the folder and drop it again.', { file: path });
    return NOTHING;
  }
  if (text === null) {
    problems.error('The file is not UTF-8 text.', 'Save it with UTF-8 encoding.', { file: path });
    return NOTHING;
  }
  if (text.trim() === '') {
    problems.error('The file is empty.', 'Export the dataset again.', { file: path });
    return NOTHING;
  }
  const result = isTable(path) ? parseTable(path, text, problems) : isJsonLines(path, text) ? await parseLines(path, text, problems, head) : parseWhole(path, text, problems);
  if (result.records.length > head) return { ...result, records: result.records.slice(0, head) };
  if (result.records.length > MAX_RECORDS) {
    problems.error(`The file has ${result.records.length} samples; at most ${MAX_RECORDS} are read.`, 'Split it into several files.', { file: path });
    return NOTHING;
  }
  return result;
}

function parseTable(path: string, text: string, problems: ProblemList): RecordFile {
  try {
    const { records, broken } = readTable(path, text, (error) => problems.caught(error));
    return { records, brokenLines: broken };
  } catch (error) {
    problems.caught(error);
    return NOTHING;
  }
}

/** Of a large file with one record a line the first whole lines; any other file whole. */
async function beginningOf(path: string, file: Blob): Promise<Blob> {
  if (file.size <= HEAD_BYTES || !/\.jsonl$/i.test(path)) return file;
  const bytes = new Uint8Array(await file.slice(0, HEAD_BYTES).arrayBuffer());
  const end = bytes.lastIndexOf(0x0a);
  return end < 0 || bytes[0] !== 0x7b ? file : file.slice(0, end);
}

/** Null for anything but UTF-8; a byte order mark is dropped. */
async function readText(file: Blob): Promise<string | null> {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(await file.arrayBuffer());
  } catch (error) {
    if (error instanceof TypeError) return null;
    throw error;
  }
}

/** By content, for many .json files are JSONL and the other way round: an array is JSON, objects one after the other are JSONL. */
function isJsonLines(path: string, text: string): boolean {
  const start = text.trimStart();
  if (start.startsWith('[')) return false;
  if (!path.toLowerCase().endsWith('.json')) return true;
  const firstLine = start.split('\n', 1)[0].trim();
  return (firstLine.length < start.trimEnd().length && isObjectText(firstLine)) || isPretty(start);
}

function isObjectText(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null;
  } catch {
    return false;
  }
}

/** Objects over several lines, one after the other: each begins and ends at the very left. */
function isPretty(text: string): boolean {
  return /^\{\s*\n/.test(text) && /\n\},?[ \t]*\r?\n\s*\{/.test(text);
}

async function parseLines(path: string, text: string, problems: ProblemList, head: number): Promise<RecordFile> {
  const records: RawRecord[] = [];
  const rest = resting();
  let sample = 0;
  for (const { content, line } of isPretty(text.trimStart()) ? prettyObjects(text) : lines(text)) {
    if (sample >= head) break;
    const due = rest();
    if (due) await due;
    sample++;
    try {
      const value: unknown = JSON.parse(content);
      const repeated = findRepeatedKey(content);
      if (repeated === null) records.push({ value, line, sample });
      else problems.error(`Line ${line} has the key "${repeated}" twice in one object.`, 'Remove one of them: which is meant cannot be told.', { file: path, line, sample, field: repeated });
    } catch (error) {
      problems.error(`Line ${line} is not valid JSON: ${(error as Error).message}`, 'Correct or remove this line.', { file: path, line, sample });
    }
  }
  return { records, brokenLines: sample - records.length };
}

/** A record's text and the line it begins at, from 1. */
interface Lines {
  content: string;
  line: number;
}

function* lines(text: string): Generator<Lines> {
  let line = 1;
  for (let at = 0; at <= text.length; line++) {
    const end = text.indexOf('\n', at);
    const content = text.slice(at, end < 0 ? text.length : end);
    if (content.trim() !== '') yield { content, line };
    at = end < 0 ? text.length + 1 : end + 1;
  }
}

/** Cuts where an object begins at the very left; what stands before the first one is a record too, and a broken one. */
function prettyObjects(text: string): Lines[] {
  const objects: Lines[] = [];
  text.split('\n').forEach((content, i) => {
    if (content.startsWith('{') || objects.length === 0) {
      if (content.trim() !== '') objects.push({ content, line: i + 1 });
    } else objects[objects.length - 1].content += `\n${content}`;
  });
  return objects.map(({ content, line }) => ({ content: content.trimEnd().replace(/,$/, ''), line }));
}

function parseWhole(path: string, text: string, problems: ProblemList): RecordFile {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const { message } = error as Error;
    problems.error(`The file is not valid JSON: ${message}`, 'Correct it at this place or export the dataset again; it may be cut off.', { file: path, ...lineOf(message, text) });
    return NOTHING;
  }
  const repeated = findRepeatedKey(text);
  if (repeated !== null) {
    problems.error(`The file has the key "${repeated}" twice in one object.`, 'Remove one of them: which is meant cannot be told.', { file: path, field: repeated });
    return NOTHING;
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { records: [], brokenLines: 0, document: value };
  if (!Array.isArray(value)) {
    problems.error(NO_LIST, 'Leave it out, or export the dataset as a list.', { file: path });
    return NOTHING;
  }
  return { records: value.map((record: unknown, i) => ({ value: record, sample: i + 1 })), brokenLines: 0 };
}

/** The line of a parser's message, as far as it tells ("at position 123", or the end of the text). */
function lineOf(message: string, text: string): { line?: number } {
  const position = /at position (\d+)/.exec(message);
  if (!position && !message.includes('end of JSON')) return {};
  const before = text.slice(0, position ? Number(position[1]) : text.length);
  return { line: before.split('\n').length };
}
