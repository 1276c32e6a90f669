/** Words of an evaluation in the page's languages, for the page and for the report that leaves it. */
import { en } from './words-en.ts';
import { zh } from './words-zh.ts';

export type EvaluationWords = typeof en;

export const EVALUATION_WORDS: Readonly<Record<'en' | 'zh', EvaluationWords>> = { en, zh };
