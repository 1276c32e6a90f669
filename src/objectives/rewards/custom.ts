/**
 * Rewards written by the user: a JavaScript function
 *   reward({ completion, truth, objects, truthObjects, prompt, extra }) => number | null
 * declared under that name or exported as default. Null leaves the completion out for this reward.
 */
import { LorikeetError } from '../../protocol/errors.ts';
import type { RewardCall, RewardOutcome, ScoredPrompt } from '../../protocol/reward-messages.ts';
import type { RewardOptions } from './contract.ts';
import { readPair } from './read-answer.ts';

const DEFAULT_EXPORT = /(?:^|[\s;}])export\s{1,20}default\s/;
const NAMED = /(?:function\s{1,20}|(?:const|let|var)\s{1,20})reward\b/;

/**
 * The source as an ES module that exports the function as default. What is added stands below: lines keep their numbers.
 * @throws LorikeetError "config" when there is no such function
 */
export function rewardModule(source: string): string {
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

/**
 * Accepts a finite number or null; names what is wrong with anything else.
 * @param type what the interpreter says `typeof` of it is
 */
export function judgeReturn(value: unknown, type: string = typeof value): RewardOutcome {
  if (value === null) return { reward: null, fault: null };
  if (type === 'undefined') return { reward: null, fault: 'undefined', message: 'The reward returned nothing.' };
  if (typeof value !== 'number') return { reward: null, fault: 'not-a-number', message: `The reward returned a ${type}.` };
  if (Number.isNaN(value)) return { reward: null, fault: 'nan', message: 'The reward returned NaN.' };
  if (!Number.isFinite(value)) return { reward: null, fault: 'infinite', message: 'The reward returned Infinity.' };
  return { reward: value, fault: null };
}
