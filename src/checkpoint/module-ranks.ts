/** Rank and alpha of each adapted module: LoraConfig's r and lora_alpha, overruled by rank_pattern and alpha_pattern. */
import { invariant, LorikeetError } from '../protocol/errors.ts';
import type { Pattern } from './pattern.ts';
import { pythonRegex, type PatternPlace } from './python-regex.ts';

/** Expression for the end of a module path -> value; the first that matches counts, as in PEFT. */
export type ModulePattern = Readonly<Record<string, number>>;

/** The fields of a LoraConfig that decide a module's rank and scale. */
export interface RankConfig {
  r: number;
  lora_alpha: number;
  use_rslora: boolean;
  rank_pattern?: ModulePattern;
  alpha_pattern?: ModulePattern;
}

export interface ModuleRank {
  r: number;
  loraAlpha: number;
  /** Factor before B·A·x: alpha / r, or alpha / √r with rank-stabilised LoRA. */
  scale: number;
}

export type PatternField = 'rank_pattern' | 'alpha_pattern';
export const PATTERN_FIELDS: readonly PatternField[] = ['rank_pattern', 'alpha_pattern'];

/**
 * Rank, alpha and scale of modules (PEFT, LoraModel._create_and_replace and get_pattern_key).
 * @param modules paths of the modules that carry the adapter
 * @param code of errors: "config" for settings, "adapter" for a file
 * @throws LorikeetError of that code when a key is no valid expression
 */
export function moduleRanks(modules: readonly string[], config: RankConfig, code: PatternPlace['code'] = 'config'): Map<string, ModuleRank> {
  const rank = reader(config, 'rank_pattern', code);
  const alpha = reader(config, 'alpha_pattern', code);
  return new Map(modules.map((path) => {
    const r = rank(path) ?? config.r;
    const loraAlpha = alpha(path) ?? config.lora_alpha;
    return [path, { r, loraAlpha, scale: loraAlpha / (config.use_rslora ? Math.sqrt(r) : r) }];
  }));
}

/** The rank of a path out of moduleRanks. */
export function rankOf(ranks: ReadonlyMap<string, ModuleRank>, path: string): ModuleRank {
  const rank = ranks.get(path);
  invariant(rank, `module ${path} has no rank`);
  return rank;
}

/** Whether one rank and one scale hold for all modules, as loaders without patterns assume. */
export function isUniform(ranks: ReadonlyMap<string, ModuleRank>): boolean {
  const [first, ...rest] = ranks.values();
  return rest.every(({ r, scale }) => r === first.r && scale === first.scale);
}

/**
 * Refuses a key that decides nothing: PEFT ignores it, and the run would train with other ranks than were meant.
 * @param modules paths of the modules that carry the adapter
 * @throws LorikeetError "config" naming the pattern
 */
export function checkPatterns(modules: readonly string[], config: RankConfig): void {
  for (const field of PATTERN_FIELDS) {
    const used = keysInUse(modules, config, field);
    const unused = Object.keys(config[field] ?? {}).find((key) => !used.has(key));
    if (unused === undefined) continue;
    throw new LorikeetError(
      'config',
      `${field} has the key "${unused}", which names no adapted module, or only modules that an earlier key names.`,
      `Correct it to the end of a module path, such as "${modules.at(-1)?.split('.').slice(-2).join('.') ?? 'q_proj'}", or remove it.`,
      { field },
    );
  }
}

/** A configuration's patterns without the keys that decide nothing for these modules. */
export function patternsInUse(modules: readonly string[], config: RankConfig): Record<PatternField, Record<string, number>> {
  const kept = (field: PatternField) => {
    const used = keysInUse(modules, config, field);
    return Object.fromEntries(Object.entries(config[field] ?? {}).filter(([key]) => used.has(key)));
  };
  return { rank_pattern: kept('rank_pattern'), alpha_pattern: kept('alpha_pattern') };
}

function keysInUse(modules: readonly string[], config: RankConfig, field: PatternField): Set<string> {
  const matchers = compile(config, field, 'config');
  return new Set(modules.flatMap((path) => matchers.find(({ pattern }) => pattern.test(path))?.key ?? []));
}

function reader(config: RankConfig, field: PatternField, code: PatternPlace['code']): (path: string) => number | undefined {
  const matchers = compile(config, field, code);
  return (path) => matchers.find(({ pattern }) => pattern.test(path))?.value;
}

/** PEFT matches re.match(rf"(.*\.)?({key})$", path). */
function compile(config: RankConfig, field: PatternField, code: PatternPlace['code']): { key: string; value: number; pattern: Pattern }[] {
  return Object.entries(config[field] ?? {}).map(([key, value]) => ({
    key, value, pattern: pythonRegex(key, (pattern) => `(?:.*\\.)?(?:${pattern})$`, { code, name: `${field}, key "${key.slice(0, 80)}",`, place: { field } }),
  }));
}
