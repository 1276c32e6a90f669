/** The languages of the reports. */
import { wordsEn } from './words-en.ts';
import type { ReportWords } from './words-en.ts';
import { wordsZh } from './words-zh.ts';

export type ReportLanguage = 'en' | 'zh';
export type { ReportWords };

/** All words by language. Names of metrics and settings are the log's own and stay as they are. */
export const REPORT_WORDS: Readonly<Record<ReportLanguage, ReportWords>> = { en: wordsEn, zh: wordsZh };
