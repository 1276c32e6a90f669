/** Settings that are code or an expression. Pure. */
import { FORMER_LANGUAGE_MODEL_TARGETS, LANGUAGE_MODEL_TARGETS, type TrainingConfig } from '../../protocol/config.ts';

export interface CodeText {
  kind: 'reward' | 'expression';
  /** The reward's name, or the setting's. */
  name: string;
  text: string;
}

/** Expressions that the page itself puts there. */
const KNOWN: ReadonlySet<string> = new Set([LANGUAGE_MODEL_TARGETS, FORMER_LANGUAGE_MODEL_TARGETS, 'all-linear']);

/** What in these settings is run rather than read, in the order in which the settings list it. */
export function codeIn({ custom_rewards, target_modules }: Pick<TrainingConfig, 'custom_rewards' | 'target_modules'>): CodeText[] {
  const rewards = custom_rewards.map(({ name, source }): CodeText => ({ kind: 'reward', name, text: source }));
  const expression: CodeText[] = typeof target_modules === 'string' && !KNOWN.has(target_modules) ? [{ kind: 'expression', name: 'target_modules', text: target_modules }] : [];
  return [...expression, ...rewards];
}

/** One text may be code in two places: what was agreed to is a kind and a text. */
export const codeKey = ({ kind, text }: CodeText): string => `${kind} ${text}`;
