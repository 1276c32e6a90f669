/** What the columns of tables were said to mean, for the next file with the same columns. */
import * as v from 'valibot';
import type { UnknownLayout } from '../../protocol/messages.ts';
import { type ColumnMapping, mappingSchema } from '../../protocol/reading-choices.ts';

const STORAGE_KEY = 'lorikeet.columns';
const MAX_LAYOUTS = 50;

const keyOf = (columns: readonly string[]) => JSON.stringify([...columns].sort());

/** Mappings of those files whose columns were mapped before, by path; null where there is none. */
export function rememberedMappings(files: readonly UnknownLayout[]): Record<string, ColumnMapping> | null {
  const known = stored();
  const found = files.flatMap(({ file, columns }): [string, ColumnMapping][] => {
    const mapping = known.get(keyOf(columns));
    return mapping ? [[file, mapping]] : [];
  });
  return found.length === 0 ? null : Object.fromEntries(found);
}

/** Keeps what a file's columns mean. */
export function rememberMapping(columns: readonly string[], mapping: ColumnMapping): void {
  const known = stored();
  known.delete(keyOf(columns));
  keep([...known, [keyOf(columns), mapping]]);
}

/** Forgets a mapping, whatever files it was for. */
export function forgetMapping(mapping: ColumnMapping): void {
  keep([...stored()].filter(([, other]) => JSON.stringify(other) !== JSON.stringify(mapping)));
}

function keep(layouts: [string, ColumnMapping][]): void {
  try {
    localStorage.setItem(STORAGE_KEY, JSON.stringify(layouts.slice(-MAX_LAYOUTS)));
  } catch {
    // Blocked storage costs only the memory of this choice.
  }
}

function stored(): Map<string, ColumnMapping> {
  try {
    const parsed = v.safeParse(v.array(v.tuple([v.string(), mappingSchema])), JSON.parse(localStorage.getItem(STORAGE_KEY) ?? '[]'));
    return new Map(parsed.success ? parsed.output : []);
  } catch {
    return new Map();
  }
}
