/** Makes text from rules instead of from an example: shapes that no example has. */
import type { Random } from '../../../tools/random.ts';

/** Alternatives by name; "{name}" in one is written out by its own rule, every other text stands for itself. */
export type Rules = Readonly<Record<string, readonly string[]>>;

const MAX_DEPTH = 14;

/** One sentence. Beyond a depth the first alternative is taken, which must lead to an end. */
export function sentence(random: Random, rules: Rules, start: string, depth = 0): string {
  const alternatives = rules[start];
  const chosen = depth > MAX_DEPTH ? alternatives[0] : random.pick(alternatives);
  return chosen.replaceAll(/\{(\w+)\}/g, (whole, name: string) => (Object.hasOwn(rules, name) ? sentence(random, rules, name, depth + 1) : whole));
}
