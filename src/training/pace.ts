/** Logging, validation and saving that follow the length of a run, where the user leaves them to it. */
import type { TrainingConfig } from '../protocol/config.ts';
import type { PaceKey } from '../protocol/messages.ts';

/** What a run of any length is to have at least: rows of its log, validations, checkpoints. */
const AT_LEAST: Readonly<Record<PaceKey, number>> = { logging_steps: 40, eval_steps: 5, save_steps: 4 };

/**
 * Settings whose intervals are no longer than the run's length allows; those of long runs, and 0 for never, stay as they are.
 * @param auto settings that the user says nothing of
 * @param totalSteps of the whole run
 */
export function followLength(config: TrainingConfig, auto: readonly PaceKey[], totalSteps: number): TrainingConfig {
  const paced = { ...config };
  for (const key of auto) {
    // The original's GRPO counts samples there, not steps.
    if (config[key] === 0 || (key === 'save_steps' && config.method === 'grpo')) continue;
    paced[key] = Math.min(config[key], Math.max(1, Math.ceil(totalSteps / AT_LEAST[key])));
  }
  return paced;
}
