/** Values as parquet has them -> values as records of JSON have them, pictures and clips as names of files. */
import type { PathFile } from '../../protocol/messages.ts';
import { isPlainObject } from '../media-reference.ts';
import { stemOf } from '../paths.ts';
import { Cell } from './cell.ts';

/** Columns that hold turns, and what turns are made of. */
const TURN_COLUMNS = ['messages', 'conversations', 'conversation', 'prompt', 'chosen', 'rejected'];
const TURN_KEYS = [['role', 'content'], ['from', 'value']];

export interface Row {
  value: Record<string, unknown>;
  media: PathFile[];
}

/**
 * @param name of the row, as its pictures are to be called
 * @param classes names of classes by column, for columns of their numbers
 */
export function rowOf(columns: Readonly<Record<string, unknown>>, name: string, classes: ReadonlyMap<string, readonly string[]>): Row {
  const media: PathFile[] = [];
  const take = ({ blob, ending }: Cell, given?: string): string => {
    const number = media.length === 0 ? '' : `-${media.length + 1}`;
    const path = `${name}${number}.${ending || endingOf(given ?? '') || 'bin'}`;
    media.push({ path, file: blob });
    return path;
  };
  const value = Object.fromEntries(
    Object.entries(columns).map(([column, own]) => {
      const plain = named(plainValue(own, take), column, classes);
      return [column, TURN_COLUMNS.includes(column) ? turnsOf(plain) : plain];
    }),
  );
  return { value, media };
}

/** Numbers of classes as their names, also within lists and tables. */
function named(value: unknown, column: string, classes: ReadonlyMap<string, readonly string[]>): unknown {
  if (classes.size === 0) return value;
  if (typeof value === 'number') return classes.get(column)?.[value] ?? value;
  if (Array.isArray(value)) return value.map((entry) => named(entry, column, classes));
  if (!isPlainObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, named(entry, `${column}.${key}`, classes)]));
}

function plainValue(value: unknown, take: (cell: Cell, given?: string) => string): unknown {
  if (value === undefined || value === null) return null;
  if (value instanceof Cell) return take(value);
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (ArrayBuffer.isView(value)) return Array.from(value as Uint8Array, (byte) => byte.toString(16).padStart(2, '0')).join('');
  if (Array.isArray(value)) return value.map((entry) => plainValue(entry, take));
  if (!isPlainObject(value)) return value;
  const { bytes, path, ...others } = value;
  if (bytes instanceof Cell && Object.keys(others).length === 0) return take(bytes, typeof path === 'string' ? path : undefined);
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, plainValue(entry, take)]));
}

/** Older versions of `datasets` write a list of turns as one turn of lists. */
function turnsOf(value: unknown): unknown {
  if (!isPlainObject(value)) return value;
  const lists = Object.entries(value);
  const isTurned = TURN_KEYS.some((keys) => keys.every((key) => Array.isArray(value[key]))) && lists.every(([, list]) => Array.isArray(list) && list.length === (lists[0][1] as unknown[]).length);
  if (!isTurned) return value;
  return (lists[0][1] as unknown[]).map((_, i) => Object.fromEntries(lists.map(([key, list]) => [key, (list as unknown[])[i]])));
}

function endingOf(path: string): string {
  const ending = path.slice(stemOf(path).length + 1);
  return /^[A-Za-z0-9]{1,5}$/.test(ending) ? ending.toLowerCase() : '';
}
