/// <reference lib="webworker" />
/** Runs a user's reward with no way out of the worker but the answers of this file. */
import { rewardModule, runReward, thrownFault } from '../src/objectives/rewards/custom.ts';
import { placeInStack, withinSource } from '../src/objectives/rewards/fault-place.ts';
import type { FromRewardWorker, RewardCall, SourcePlace, ToRewardWorker } from '../src/protocol/reward-messages.ts';
import { closeDoors, lockFunctionConstructors, seededRandom } from '../src/session/reward-sandbox.ts';

const scope = self as unknown as DedicatedWorkerGlobalScope;
const post = scope.postMessage.bind(scope);
const send = (message: FromRewardWorker) => post(message);
const createUrl = URL.createObjectURL.bind(URL);
const listen = scope.addEventListener.bind(scope);
const unlisten = scope.removeEventListener.bind(scope);
const report = scope.reportError.bind(scope);

let reward: ((call: RewardCall) => unknown) | null = null;
/** Finds an error in the loaded source. */
let placeOf: (error: unknown) => SourcePlace | null = () => null;

/** Loads a text as a module; from then on errors are looked for in it. */
async function importText(text: string, source: string): Promise<{ default?: unknown }> {
  const address = createUrl(new Blob([text], { type: 'text/javascript' }));
  placeOf = (error) => {
    const place = placeInStack(error, address) ?? reportedPlace(error, address);
    return place && withinSource(place, source);
  };
  return (await import(/* @vite-ignore */ address)) as { default?: unknown };
}

async function load(source: string): Promise<void> {
  try {
    const text = rewardModule(source);
    const module = await importText(text, source).catch((error: unknown) => {
      // A brace left open is found only in what was appended: the source alone says it in the user's own terms.
      if (!(error instanceof SyntaxError) || text === source) throw error;
      return importText(source, source);
    });
    if (typeof module.default !== 'function') throw new TypeError('What the source exports is no function.');
    reward = module.default as typeof reward;
    send({ kind: 'loaded', fault: null });
  } catch (error) {
    send({ kind: 'loaded', fault: thrownFault(error, placeOf) });
  }
}

/** A syntax error has no stack, but the event that reports an error tells its position, which the error itself hides. */
function reportedPlace(error: unknown, address: string): SourcePlace | null {
  let place: SourcePlace | null = null;
  const hear = (event: ErrorEvent) => {
    // Nobody else is to hear of it: neither the console nor the page.
    event.preventDefault();
    event.stopImmediatePropagation();
    if (event.filename === address && event.lineno > 0) place = { line: event.lineno, column: event.colno };
  };
  listen('error', hear);
  report(error);
  unlisten('error', hear);
  return place;
}

listen('message', async ({ data }: MessageEvent<ToRewardWorker>) => {
  if (data.kind === 'load') return load(data.source);
  Math.random = seededRandom(data.seed);
  send({ kind: 'scored', id: data.id, outcome: await runReward(reward!, data.call, placeOf) });
});

closeDoors(scope);
lockFunctionConstructors();
send({ kind: 'ready' });
