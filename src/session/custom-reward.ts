/** The user's rewards as a run scores with them. */
import { RewardRunner, type CustomRewardSettings, type RewardWorkerLike } from '../objectives/rewards/runner.ts';

export type { CustomRewardBatch, CustomRewardSettings, RewardWorkerLike } from '../objectives/rewards/runner.ts';

export function createRewardWorker(): RewardWorkerLike {
  return new Worker(new URL('../../workers/reward.worker.ts', import.meta.url), { type: 'module', name: 'reward' });
}

export class CustomReward extends RewardRunner {
  constructor(settings: CustomRewardSettings, createWorker: () => RewardWorkerLike = createRewardWorker) {
    super(settings, createWorker);
  }
}
