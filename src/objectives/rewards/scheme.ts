/** The built-in rewards by name. */
import { LorikeetError } from '../../protocol/errors.ts';
import type { RewardScheme } from './contract.ts';
import { demo } from './demo.ts';
import { gated } from './gated.ts';
import { original } from './original.ts';
import { riskAware } from './risk-aware.ts';
import { trlLegacy } from './trl-legacy.ts';

export { weightedReward } from './contract.ts';
export type { RewardOptions, RewardScheme, RewardTerms, RiskSettings } from './contract.ts';

export const REWARD_SCHEMES: readonly RewardScheme[] = [original, trlLegacy, gated, riskAware, demo];

/** @throws LorikeetError "config" for an unknown name */
export function rewardScheme(name: string): RewardScheme {
  const scheme = REWARD_SCHEMES.find((candidate) => candidate.name === name);
  if (!scheme) throw new LorikeetError('config', `There is no reward scheme "${name}".`, `Use one of ${REWARD_SCHEMES.map((known) => known.name).join(', ')}.`, { field: 'reward_scheme' });
  return scheme;
}
