/// <reference lib="webworker" />
/** Runs a user's reward in the interpreter of src/session/reward-sandbox.ts, on a thread that can be ended. */
import type { FromRewardWorker, ToRewardWorker } from '../src/protocol/reward-messages.ts';
import { RewardSandbox } from '../src/session/reward-sandbox.ts';

const scope = self as unknown as DedicatedWorkerGlobalScope;
const send = (message: FromRewardWorker) => scope.postMessage(message);

let limitMs = 0;
let sandbox: RewardSandbox | null = null;

scope.onmessage = async ({ data }: MessageEvent<ToRewardWorker>) => {
  if (data.kind === 'load') {
    limitMs = data.limitMs;
    const loaded = await RewardSandbox.load(data.source, limitMs);
    if (loaded instanceof RewardSandbox) sandbox = loaded;
    return send({ kind: 'loaded', fault: loaded instanceof RewardSandbox ? null : loaded });
  }
  const outcome = sandbox!.score(data.call, data.seed, limitMs);
  send({ kind: 'scored', id: data.id, outcome, spent: sandbox!.spent });
};

send({ kind: 'ready' });
