/** Changes text: characters, words out of a dictionary, pieces and whole lines. */
import type { Random } from '../../../tools/random.ts';
import { NASTY_STRINGS } from './nasty.ts';

/** One to four changes. */
export function mutateText(random: Random, original: string, dictionary: readonly string[] = NASTY_STRINGS): string {
  let text = original;
  for (let changes = 1 + random.below(4); changes > 0; changes--) text = changed(random, text, dictionary);
  return text;
}

function changed(random: Random, text: string, dictionary: readonly string[]): string {
  const at = random.below(text.length + 1);
  const length = 1 + random.below(40);
  const put = (piece: string, instead = 0) => text.slice(0, at) + piece + text.slice(at + instead);
  switch (random.below(8)) {
    case 0:
      return put('', length);
    case 1:
      return put(random.pick(dictionary));
    case 2:
      return put(random.pick(dictionary), length);
    case 3:
      return put(String.fromCharCode(random.below(random.chance(0.5) ? 128 : 65536)), 1);
    case 4:
      return put(text.slice(at, at + length).repeat(1 + random.below(20)));
    case 5:
      return random.chance(0.3) ? text.slice(0, at) : text;
    case 6:
      return withLine(random, text);
    default:
      return text.replaceAll(/\d+(?:\.\d+)?/g, (digits) => (random.chance(0.02) ? random.pick(['-1', '0', '1.5', '1e999', '99999999999999999999', 'NaN', '']) : digits));
  }
}

function withLine(random: Random, text: string): string {
  const lines = text.split('\n');
  const at = random.below(lines.length);
  if (random.chance(0.5)) lines.splice(at, 1);
  else lines.splice(at, 0, random.pick(lines));
  return lines.join('\n');
}
