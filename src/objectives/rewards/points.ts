/** Bare boxes "(x1,y1),(x2,y2)", with Qwen2-VL's reference tags or plain words before them. */
import type { Box } from '../detection-answer.ts';
import { isAnomalous, NORMAL_STATUS, type RewardAnswer } from './reward-object.ts';

const POINTS = /\((\d{1,6}), ?(\d{1,6})\), ?\((\d{1,6}), ?(\d{1,6})\)/g;
const REFERENCE = /<\|object_ref_start\|>([^<]{1,200})<\|object_ref_end\|>/;
/** How far before a box its words may begin. */
const MAX_WORDS_BEFORE = 200;

/** The category is what the reference tag holds, else the words between the previous box and this one, on the same line. */
export function readPoints(text: string): Omit<RewardAnswer, 'saysNone'> {
  let from = 0;
  const objects = [...text.matchAll(POINTS)].map((match) => {
    const before = text.slice(Math.max(from, match.index - MAX_WORDS_BEFORE), match.index);
    from = match.index + match[0].length;
    const words = REFERENCE.exec(before)?.[1] ?? before.replace(/<[^<>]{0,200}>/g, '').split(/[\n；;。]/).at(-1)!;
    const [category = '', status = NORMAL_STATUS] = words.split(/[，,：:]/).map((word) => word.trim()).filter((word) => word !== '');
    return { category, status, anomalous: isAnomalous(words), box: match.slice(1, 5).map(Number) as Box };
  });
  return { objects, hasNumbers: true, hasStatus: true };
}
