/** Which modules an adapter is put on: PEFT's target_modules. */
import { LorikeetError } from '../protocol/errors.ts';
import type { Pattern } from './pattern.ts';
import { pythonRegex } from './python-regex.ts';

/** The head's path; on a model that ties it to the embedding table there is no such linear layer. */
const HEAD = 'lm_head';

/**
 * Module paths that target_modules names, in the order given (PEFT, tuners_utils.check_target_module_exists).
 * A list matches whole paths or their endings after a dot; one string is a regular expression that must match the whole path;
 * "all-linear" is every linear layer but lm_head. Unlike PEFT, a list entry that matches nothing is an error.
 * @param modulePaths paths of the model's linear layers
 * @throws LorikeetError "config" when the expression is invalid, nothing matches, or lm_head is named on a model that ties it
 */
export function matchTargetModules(targetModules: string | readonly string[], modulePaths: readonly string[]): string[] {
  if (typeof targetModules !== 'string') {
    if (targetModules.includes(HEAD) && !modulePaths.includes(HEAD)) throw tiedHead();
    const unmatched = targetModules.find((name) => !modulePaths.some((path) => endsWith(path, name)));
    if (unmatched !== undefined) throw noMatch(`No linear layer of the model is called "${unmatched}".`, modulePaths);
    const matched = modulePaths.filter((path) => targetModules.some((name) => endsWith(path, name)));
    if (matched.length === 0) throw noMatch('target_modules is empty.', modulePaths);
    return matched;
  }
  if (targetModules.toLowerCase() === 'all-linear') return modulePaths.filter((path) => path !== HEAD);
  const pattern = fullMatch(targetModules);
  if (pattern.test(HEAD) && !modulePaths.includes(HEAD)) throw tiedHead();
  const matched = modulePaths.filter((path) => pattern.test(path));
  if (matched.length === 0) throw noMatch(`The expression ${targetModules} matches no linear layer of the model; it must match the whole path.`, modulePaths);
  return matched;
}

function endsWith(path: string, name: string): boolean {
  return path === name || path.endsWith(`.${name}`);
}

/** Python's re.fullmatch of a pattern. */
function fullMatch(source: string): Pattern {
  return pythonRegex(source, (pattern) => pattern, { code: 'config', name: 'target_modules', place: { field: 'target_modules' } });
}

/** PEFT would adapt the head alone and so untie it; no loader of merged weights or of the base could keep that. */
function tiedHead(): LorikeetError {
  return new LorikeetError(
    'config',
    'target_modules names lm_head, but this model shares one table between lm_head and its embeddings ("tie_word_embeddings": true), so there is no separate layer to adapt.',
    'Leave lm_head out; an expression can exclude it with (?!lm_head$) at its start.',
    { field: 'target_modules' },
  );
}

function noMatch(message: string, modulePaths: readonly string[]): LorikeetError {
  const endings = [...new Set(modulePaths.map((path) => path.slice(path.lastIndexOf('.') + 1)))];
  return new LorikeetError('config', message, `The model's linear layers are ${endings.join(', ')}; a path looks like ${modulePaths.at(-1) ?? '(none)'}.`, { field: 'target_modules' });
}
