/**
 * Rewards written by the user: a JavaScript function
 *   reward({ completion, truth, objects, truthObjects, prompt, extra }) => number | null
 * declared under that name or exported as default. Null leaves the completion out for this reward.
 */
import { LorikeetError } from '../../protocol/errors.ts';
import type { RewardCall, RewardOutcome, ScoredPrompt, SourcePlace } from '../../protocol/reward-messages.ts';
import type { RewardOptions } from './contract.ts';
import { readPair } from './read-answer.ts';

const DEFAULT_EXPORT = /(?:^|[\s;}])export\s{1,20}default\s/;
const NAMED = /(?:function\s{1,20}|(?:const|let|var)\s{1,20})reward\b/;
/** No reward needs modules, and they could reach the network. */
const IMPORT = /\bimport\b/;
const MAX_MESSAGE = 300;

/**
 * The source as an ES module that exports the function as default. What is added stands below: lines keep their numbers.
 * @throws LorikeetError "config" when there is no such function, or the source mentions import
 */
export function rewardModule(source: string): string {
  if (IMPORT.test(source)) throw new LorikeetError('config', 'A reward must not contain the word "import".', 'Write everything the reward needs into its own source.', { field: 'custom_rewards' });
  if (DEFAULT_EXPORT.test(source)) return source;
  if (NAMED.test(source)) return `${source}\nexport default reward;\n`;
  throw new LorikeetError('config', 'There is no function "reward" in the source.', 'Declare: function reward({ completion, truth, objects, truthObjects, prompt, extra }) { … }', { field: 'custom_rewards' });
}

/**
 * What the function is told about a completion; objects are read as the built-in rewards read them.
 * @param boxes unit of the boxes in truth and completion
 * @throws LorikeetError "config" for boxes in pixels without the size of the image
 */
export function rewardCall(completion: string, { prompt, truth, extra = {}, imageSize }: ScoredPrompt, boxes: RewardOptions['boxes'] = 'thousandths'): RewardCall {
  const { expected, given } = readPair(truth, completion, { boxes, imageSize }, true);
  const plain = (objects: typeof given.objects) => objects.map(({ category, status, box }) => ({ category, status, box }));
  return { completion, truth, objects: plain(given.objects), truthObjects: plain(expected.objects), prompt, extra: { ...extra } };
}

/** Accepts a finite number or null; names what is wrong with anything else. */
export function judgeReturn(value: unknown): RewardOutcome {
  if (value === null) return { reward: null, fault: null };
  if (value === undefined) return { reward: null, fault: 'undefined', message: 'The reward returned nothing.' };
  if (typeof value !== 'number') return { reward: null, fault: 'not-a-number', message: `The reward returned a ${typeof value}.` };
  if (Number.isNaN(value)) return { reward: null, fault: 'nan', message: 'The reward returned NaN.' };
  if (!Number.isFinite(value)) return { reward: null, fault: 'infinite', message: 'The reward returned Infinity.' };
  return { reward: value, fault: null };
}

/**
 * Runs the function on one completion; whatever it throws becomes an outcome. Promises are waited for.
 * @param placeOf finds what was thrown in the user's text
 */
export async function runReward(reward: (call: RewardCall) => unknown, call: RewardCall, placeOf: (error: unknown) => SourcePlace | null): Promise<RewardOutcome> {
  try {
    return judgeReturn(await reward(call));
  } catch (error) {
    return { reward: null, fault: 'threw', ...thrownFault(error, placeOf) };
  }
}

/** What is said of anything thrown, and where it lies. */
export function thrownFault(error: unknown, placeOf: (error: unknown) => SourcePlace | null): { message: string; place?: SourcePlace } {
  const place = placeOf(error);
  return { message: thrownMessage(error), ...(place && { place }) };
}

/** The words of anything thrown, even of what cannot be turned into text. */
function thrownMessage(error: unknown): string {
  try {
    return (error instanceof Error ? `${error.name}: ${error.message}` : String(error)).slice(0, MAX_MESSAGE);
  } catch {
    return 'The reward threw something without words.';
  }
}
