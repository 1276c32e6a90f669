/** Where a fault lies in the text that the user wrote. Lines and columns count from 1, as browsers tell them. */
import type { SourcePlace } from '../../protocol/reward-messages.ts';

/**
 * The first frame of an error's stack that lies in the file of this name; null where there is none.
 * @param stack as QuickJS writes it: "at reward (reward.js:2:14)", or "at reward.js:2:14" for a syntax error
 */
export function placeInStack(stack: string, file: string): SourcePlace | null {
  const start = stack.indexOf(`${file}:`);
  const found = start < 0 ? null : /^:(\d{1,9}):(\d{1,9})/.exec(stack.slice(start + file.length));
  return found ? { line: Number(found[1]), column: Number(found[2]) } : null;
}

/** The same place, or the end of the user's text where it lies in what was appended to it. */
export function withinSource(place: SourcePlace, source: string): SourcePlace {
  const lines = source.split('\n');
  return place.line <= lines.length ? place : { line: lines.length, column: lines[lines.length - 1].length + 1 };
}

/** A fault in one sentence, for logs. */
export function faultText({ message, place }: { message: string; place?: SourcePlace }): string {
  return place ? `${message} (line ${place.line}, column ${place.column})` : message;
}
