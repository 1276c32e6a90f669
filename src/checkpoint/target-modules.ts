/** Which modules an adapter is put on: PEFT's target_modules. */
import { LorikeetError } from '../protocol/errors.ts';

/** Longer patterns are no honest setting. */
const MAX_PATTERN = 10_000;

/**
 * Module paths that target_modules names, in the order given (PEFT, tuners_utils.check_target_module_exists).
 * A list matches whole paths or their endings after a dot; one string is a regular expression that must match the whole path;
 * "all-linear" is every linear layer but lm_head. Unlike PEFT, a list entry that matches nothing is an error.
 * @param modulePaths paths of the model's linear layers
 * @throws LorikeetError "config" when the expression is invalid or nothing matches
 */
export function matchTargetModules(targetModules: string | readonly string[], modulePaths: readonly string[]): string[] {
  if (typeof targetModules !== 'string') {
    const endsWith = (path: string, name: string) => path === name || path.endsWith(`.${name}`);
    const unmatched = targetModules.find((name) => !modulePaths.some((path) => endsWith(path, name)));
    if (unmatched !== undefined) throw noMatch(`No linear layer of the model is called "${unmatched}".`, modulePaths);
    const matched = modulePaths.filter((path) => targetModules.some((name) => endsWith(path, name)));
    if (matched.length === 0) throw noMatch('target_modules is empty.', modulePaths);
    return matched;
  }
  if (targetModules.toLowerCase() === 'all-linear') return modulePaths.filter((path) => path !== 'lm_head');
  const pattern = fullMatch(targetModules);
  const matched = modulePaths.filter((path) => pattern.test(path));
  if (matched.length === 0) throw noMatch(`The expression ${targetModules} matches no linear layer of the model; it must match the whole path.`, modulePaths);
  return matched;
}

/**
 * Python's re.fullmatch of a pattern. Named groups and \A, \Z are respelled; what JavaScript lacks (inline flags,
 * possessive quantifiers, conditionals, verbose comments) is refused as invalid. \d and \w match ASCII only.
 */
function fullMatch(source: string): RegExp {
  if (source.length > MAX_PATTERN) {
    throw new LorikeetError('config', `target_modules has ${source.length} characters, allowed are ${MAX_PATTERN}.`, 'Use a list of names instead.', { field: 'target_modules' });
  }
  const respelled = source.replace(/\\[\s\S]|\(\?P<|\(\?P=(\w+)\)/g, (token, name: string | undefined) => {
    if (token === '(?P<') return '(?<';
    if (name !== undefined) return `\\k<${name}>`;
    return token === '\\A' ? '^' : token === '\\Z' ? '$' : token;
  });
  try {
    return new RegExp(`^(?:${respelled})$`);
  } catch (error) {
    throw new LorikeetError('config', `target_modules is no valid regular expression: ${(error as Error).message}.`, 'Correct it, or use a list of names such as ["q_proj", "v_proj"].', { field: 'target_modules' }, { cause: error });
  }
}

function noMatch(message: string, modulePaths: readonly string[]): LorikeetError {
  const endings = [...new Set(modulePaths.map((path) => path.slice(path.lastIndexOf('.') + 1)))];
  return new LorikeetError('config', message, `The model's linear layers are ${endings.join(', ')}; a path looks like ${modulePaths.at(-1) ?? '(none)'}.`, { field: 'target_modules' });
}
