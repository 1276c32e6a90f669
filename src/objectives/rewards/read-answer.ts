/** Answers as the rewards see them: objects, and which parts of the format are there. */
import { LorikeetError } from '../../protocol/errors.ts';
import { type Box, parseAnswer, pixelsToThousandths } from '../detection-answer.ts';
import type { RewardOptions } from './contract.ts';
import { readNumbered } from './numbered.ts';
import { readPoints } from './points.ts';
import { isAnomalous, type RewardAnswer } from './reward-object.ts';

type Reader = (text: string) => Omit<RewardAnswer, 'saysNone'>;

const NOTHING_PHRASES = ['未检测到相关设备', '未检测到设备', '未检测到目标', '没有检测到', 'no relevant equipment', 'no equipment detected'];
/** True for a text that contains one of the known phrases for "nothing found", or is an empty list. */
export function saysNothingFound(text: string): boolean {
  const lower = text.toLowerCase();
  return NOTHING_PHRASES.some((phrase) => lower.includes(phrase)) || parseAnswer(text).saysNone;
}

/**
 * Reads truth and completion with the same reader: the first of numbered list, Qwen's JSON and bare points that finds
 * objects in the truth. For a truth without objects the completion itself decides.
 * @param signedDecimals accept negative and fractional coordinates in <box>, which the first version did not
 * @throws LorikeetError "config" for boxes in pixels without the size of the image
 */
export function readPair(truth: string, completion: string, options: RewardOptions, signedDecimals: boolean): { expected: RewardAnswer; given: RewardAnswer } {
  const readers: Reader[] = [(text) => readNumbered(text, signedDecimals), readJson, readPoints];
  const firstFinding = (text: string) => readers.find((reader) => reader(text).objects.length > 0);
  const reader = firstFinding(truth) ?? firstFinding(completion) ?? readers[0];
  const read = (text: string): RewardAnswer => {
    const answer = reader(text);
    return { ...answer, objects: answer.objects.map((object) => ({ ...object, box: inThousandths(object.box, options) })), saysNone: saysNothingFound(text) };
  };
  return { expected: read(truth), given: read(completion) };
}

function readJson(text: string): Omit<RewardAnswer, 'saysNone'> {
  const list = text.slice(Math.max(0, text.indexOf('[')), text.lastIndexOf(']') + 1);
  const parsed = parseAnswer(list);
  const objects = parsed.format === 'json' ? parsed.objects : [];
  return { objects: objects.map((object) => ({ ...object, anomalous: isAnomalous(object.status) })), hasNumbers: true, hasStatus: true };
}

function inThousandths(box: Box, { boxes = 'thousandths', imageSize }: RewardOptions): Box {
  if (boxes === 'thousandths') return box;
  if (!imageSize) throw new LorikeetError('config', 'Boxes in pixels need the size of the resized image.', 'Give the width and height, or use thousandths.', { field: 'boxes' });
  return pixelsToThousandths(box, imageSize);
}
