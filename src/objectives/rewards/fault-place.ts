/** Where a fault lies in the text that the user wrote. Lines and columns count from 1, as browsers tell them. */
import type { SourcePlace } from '../../protocol/reward-messages.ts';

/** The first frame of an error's stack that lies in the script of this address; null where there is none. */
export function placeInStack(error: unknown, address: string): SourcePlace | null {
  if (!(error instanceof Error) || typeof error.stack !== 'string') return null;
  const start = error.stack.indexOf(`${address}:`);
  const found = start < 0 ? null : /^:(\d{1,9}):(\d{1,9})/.exec(error.stack.slice(start + address.length));
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
