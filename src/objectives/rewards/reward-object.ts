/** What the rewards know of an answer: its objects, and which parts of the format are there. */
import type { Box } from '../detection-answer.ts';

export interface RewardObject {
  category: string;
  status: string;
  /** True where the status names a fault. */
  anomalous: boolean;
  /** Thousandths of width and height. */
  box: Box;
}

export interface RewardAnswer {
  objects: RewardObject[];
  /** Objects are numbered; true for formats that know no numbers. */
  hasNumbers: boolean;
  /** A status is given; true for formats that ask for none. */
  hasStatus: boolean;
  /** Says in so many words that there is nothing. */
  saysNone: boolean;
}

const FAULT_WORDS = ['异常', '全灭', '损坏', '故障', '破损', '不亮', '错误', '黑屏', '全亮'];
/** The status of an object whose answer gives none. */
export const NORMAL_STATUS = '正常';

/** True for a status that contains a word of fault. */
export function isAnomalous(status: string): boolean {
  return FAULT_WORDS.some((word) => status.includes(word));
}
