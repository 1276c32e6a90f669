/** JSON of files we did not write: size-limited, no repeated keys, the place named in errors. */
import { LorikeetError } from '../protocol/errors.ts';

const ADVICE = 'The file is damaged or was edited by hand: download it again.';

/**
 * Parses JSON; JSON.parse alone would silently keep the last of two equal keys.
 * @throws LorikeetError "file-corrupt"
 */
export function parseStrictJson(text: string, file: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new LorikeetError('file-corrupt', `${file} is not valid JSON: ${(error as Error).message}.`, ADVICE, { file }, { cause: error });
  }
  const repeated = findRepeatedKey(text);
  if (repeated !== null) {
    throw new LorikeetError('file-corrupt', `${file} has the key "${repeated}" twice in one object.`, ADVICE, { file, field: repeated });
  }
  return value;
}

/**
 * Like parseStrictJson, for a file that must hold one object.
 * @throws LorikeetError "file-corrupt"
 */
export function parseStrictObject(text: string, file: string): Record<string, unknown> {
  const value = parseStrictJson(text, file);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    const got = Array.isArray(value) ? 'a list' : value === null ? 'null' : `a ${typeof value}`;
    throw new LorikeetError('file-corrupt', `${file} must hold one JSON object, got ${got}.`, ADVICE, { file });
  }
  return value as Record<string, unknown>;
}

/** First key that occurs twice in one object of valid JSON text, else null. */
export function findRepeatedKey(text: string): string | null {
  const open: (Set<string> | null)[] = [];
  for (let i = 0; i < text.length; i++) {
    const character = text.charCodeAt(i);
    if (character === 0x7b) open.push(new Set());
    else if (character === 0x5b) open.push(null);
    else if (character === 0x7d || character === 0x5d) open.pop();
    else if (character === 0x22) {
      const start = i;
      for (i++; text.charCodeAt(i) !== 0x22; i++) if (text.charCodeAt(i) === 0x5c) i++;
      let next = i + 1;
      while (text.charCodeAt(next) <= 0x20) next++;
      if (text.charCodeAt(next) !== 0x3a) continue;
      const key = JSON.parse(text.slice(start, i + 1)) as string;
      const keys = open.at(-1)!;
      if (keys!.has(key)) return key;
      keys!.add(key);
    }
  }
  return null;
}
