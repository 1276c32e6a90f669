/**
 * The numbered format: "1. category", then a status and <box>(x1,y1),(x2,y2)</box>, one item after the other.
 * The demo's three lines per object are the same with fixed line breaks.
 */
import type { Box } from '../detection-answer.ts';
import { isAnomalous, NORMAL_STATUS, type RewardAnswer, type RewardObject } from './reward-object.ts';

/** Where an item begins. At most six digits, from their first on: long runs of digits cost nothing. */
const ITEM_START = /(?<!\d)(?=\d{1,6}\.\s)/;
const ITEM = /^\d{1,6}\.\s+([^\n]+)/;
/** An item on one line goes on with its status behind a dash. */
const INLINE_STATUS = /[ \t]-[ \t]*状态[：:]/;
const STATUS = /状态[：:]\s*([^\n]+)/;
const WHOLE_BOX = /<box>\((\d{1,9}),(\d{1,9})\),\((\d{1,9}),(\d{1,9})\)<\/box>/;
const DECIMAL = String.raw`\s{0,9}(-?\d{1,9}(?:\.\d{1,9})?)\s{0,9}`;
const DECIMAL_BOX = new RegExp(String.raw`<box>\s{0,9}\(${DECIMAL},${DECIMAL}\)\s{0,9},\s{0,9}\(${DECIMAL},${DECIMAL}\)\s{0,9}</box>`);
const UNKNOWN = 'unknown';

/** Objects are items that have a box, the first one counting; without any, all boxes of the text, of category "unknown". */
export function readNumbered(text: string, signedDecimals: boolean): Omit<RewardAnswer, 'saysNone'> {
  const pattern = signedDecimals ? DECIMAL_BOX : WHOLE_BOX;
  const items = text.split(ITEM_START);
  const listed = items.map((item) => listedObject(item, pattern)).filter((object) => object !== null);
  const objects = listed.length > 0 ? listed : boxesAlone(text, pattern);
  return { objects, hasNumbers: items.some((item) => ITEM.test(item)), hasStatus: STATUS.test(text) };
}

function listedObject(item: string, pattern: RegExp): RewardObject | null {
  const head = ITEM.exec(item);
  const box = head ? pattern.exec(item) : null;
  if (!head || !box) return null;
  const status = STATUS.exec(item)?.[1].split(/[ \t]-[ \t]/)[0].trim() ?? NORMAL_STATUS;
  return { category: head[1].split(INLINE_STATUS)[0].trim(), status, anomalous: isAnomalous(status), box: numbers(box) };
}

function boxesAlone(text: string, pattern: RegExp): RewardObject[] {
  return [...text.matchAll(new RegExp(pattern, 'g'))].map((box) => ({ category: UNKNOWN, status: NORMAL_STATUS, anomalous: false, box: numbers(box) }));
}

function numbers(match: RegExpMatchArray): Box {
  return match.slice(1, 5).map(Number) as Box;
}
