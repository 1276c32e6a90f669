/** Regular expressions as PEFT reads them: Python's, written in adapter configurations and settings. */
import { LorikeetError, type ErrorCode, type ErrorPlace } from '../protocol/errors.ts';

/** Longer patterns are no honest setting. */
const MAX_PATTERN = 10_000;

/** Where a pattern stands, for errors. */
export interface PatternPlace {
  code: Extract<ErrorCode, 'config' | 'adapter'>;
  /** What messages call it, e.g. "target_modules". */
  name: string;
  place: ErrorPlace;
}

/**
 * A pattern in JavaScript's spelling, not anchored. Named groups and \A, \Z are respelled; what JavaScript lacks (inline flags,
 * possessive quantifiers, conditionals, verbose comments) is refused as invalid. \d and \w match ASCII only.
 * @param around puts the respelled pattern into the whole expression
 * @throws LorikeetError of the place's code when it is invalid or too long
 */
export function pythonRegex(source: string, around: (pattern: string) => string, { code, name, place }: PatternPlace): RegExp {
  if (source.length > MAX_PATTERN) {
    throw new LorikeetError(code, `${name} has ${source.length} characters, allowed are ${MAX_PATTERN}.`, 'Use a list of names instead.', place);
  }
  const respelled = source.replace(/\\[\s\S]|\(\?P<|\(\?P=(\w+)\)/g, (token, group: string | undefined) => {
    if (token === '(?P<') return '(?<';
    if (group !== undefined) return `\\k<${group}>`;
    return token === '\\A' ? '^' : token === '\\Z' ? '$' : token;
  });
  try {
    return new RegExp(around(respelled));
  } catch (error) {
    throw new LorikeetError(code, `${name} is no valid regular expression: ${(error as Error).message}.`, 'Correct it, or use names such as "q_proj".', place, { cause: error });
  }
}
