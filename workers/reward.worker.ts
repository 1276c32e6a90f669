/// <reference lib="webworker" />
/** Runs a user's reward with no way out of the worker but the answers of this file. */
import { rewardModule, runReward, thrownMessage } from '../src/objectives/rewards/custom.ts';
import type { FromRewardWorker, RewardCall, ToRewardWorker } from '../src/protocol/reward-messages.ts';
import { closeDoors, lockFunctionConstructors, seededRandom } from '../src/session/reward-sandbox.ts';

const scope = self as unknown as DedicatedWorkerGlobalScope;
const post = scope.postMessage.bind(scope);
const send = (message: FromRewardWorker) => post(message);
const createUrl = URL.createObjectURL.bind(URL);
const listen = scope.addEventListener.bind(scope);

let reward: ((call: RewardCall) => unknown) | null = null;

async function load(source: string): Promise<void> {
  try {
    const url = createUrl(new Blob([rewardModule(source)], { type: 'text/javascript' }));
    const module = (await import(/* @vite-ignore */ url)) as { default: unknown };
    if (typeof module.default !== 'function') throw new TypeError('What the source exports is no function.');
    reward = module.default as typeof reward;
    send({ kind: 'loaded', fault: null });
  } catch (error) {
    send({ kind: 'loaded', fault: thrownMessage(error) });
  }
}

listen('message', async ({ data }: MessageEvent<ToRewardWorker>) => {
  if (data.kind === 'load') return load(data.source);
  Math.random = seededRandom(data.seed);
  send({ kind: 'scored', id: data.id, outcome: await runReward(reward!, data.call) });
});

closeDoors(scope);
lockFunctionConstructors();
send({ kind: 'ready' });
