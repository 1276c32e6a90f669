/** Starts the closed worker in which rewards of the user run; the page has its own for trials. */
import type { RewardWorkerLike } from '../../objectives/rewards/runner.ts';

export function createRewardWorker(): RewardWorkerLike {
  return new Worker(new URL('../../../workers/reward.worker.ts', import.meta.url), { type: 'module', name: 'reward' });
}
