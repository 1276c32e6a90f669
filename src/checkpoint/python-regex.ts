/** Regular expressions as PEFT reads them: Python's, written in adapter configurations and settings. */
import { LorikeetError, type ErrorCode, type ErrorPlace } from '../protocol/errors.ts';
import { compilePattern, PatternFault, type Pattern } from './pattern.ts';

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
 * Whether a whole text matches, as Python's re.fullmatch has it, in linear time. \d, \w and \s match ASCII only.
 * @param around puts the pattern into the whole expression
 * @throws LorikeetError of the place's code when it is invalid, too long, or cannot be matched in linear time
 */
export function pythonRegex(source: string, around: (pattern: string) => string, { code, name, place }: PatternPlace): Pattern {
  if (source.length > MAX_PATTERN) {
    throw new LorikeetError(code, `${name} has ${source.length} characters, allowed are ${MAX_PATTERN}.`, 'Use a list of names instead.', place);
  }
  try {
    // Alone first: faults are told by their place in what was written.
    compilePattern(source);
    return compilePattern(around(source));
  } catch (error) {
    if (!(error instanceof PatternFault)) throw error;
    const what = error.unsupported ? 'uses what cannot be matched in bounded time here' : 'is no valid regular expression';
    throw new LorikeetError(code, `${name} ${what}: ${error.message}.`, 'Correct it, or use names such as "q_proj".', place, { cause: error });
  }
}
