/** Which linear layers a run adapts, and each one's rank and scale. */
import type { LinearModule } from '../families/architecture.ts';
import { checkPatterns, moduleRanks, rankOf, type ModuleRank, type RankConfig } from './module-ranks.ts';
import { matchTargetModules } from './target-modules.ts';

export interface AdaptedLinear extends LinearModule, ModuleRank {}

/** Neighbours that read the same input; their A factors lie side by side. */
export function groupBySharedInput(modules: readonly AdaptedLinear[]): AdaptedLinear[][] {
  const groups: AdaptedLinear[][] = [];
  for (const module of modules) {
    const last = groups.at(-1);
    if (last && last[0].inputGroup === module.inputGroup) last.push(module);
    else groups.push([module]);
  }
  return groups;
}

/**
 * The modules that target_modules names, in the model's order, with their ranks.
 * @param modules the model's linear layers
 * @throws LorikeetError "config" when an expression is invalid, target_modules or a key of a pattern names nothing,
 *   or lm_head is to be adapted on a model that ties it
 */
export function adaptedModules(modules: readonly LinearModule[], config: RankConfig & { target_modules: string | readonly string[] }): AdaptedLinear[] {
  const paths = matchTargetModules(config.target_modules, modules.map(({ path }) => path));
  checkPatterns(paths, config);
  const ranks = moduleRanks(paths, config);
  return modules.filter(({ path }) => ranks.has(path)).map((module) => ({ ...module, ...rankOf(ranks, module.path) }));
}
