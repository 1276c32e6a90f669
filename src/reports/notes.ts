/**
 * Notes about a log in the reader's language. A note carries its English and what it is made of: key and values, where a value
 * may be a sentence of its own.
 */
import { chineseSayings } from '../protocol/sayings-zh.ts';
import { englishSayings } from '../protocol/sayings.ts';
import type { Sayings } from '../protocol/sayings.ts';
import { notesEn } from './notes-en.ts';
import type { Notes } from './notes-en.ts';
import { notesZh } from './notes-zh.ts';
import type { LogNote } from './run-log.ts';
import type { ReportLanguage } from './words.ts';

type Sentences = Sayings & Notes;

/** A sentence before it is put into words. */
export interface Said {
  key: keyof Sentences;
  values: Readonly<Record<string, string | number | Said>>;
}

const SENTENCES: Readonly<Record<ReportLanguage, Sentences>> = { en: { ...englishSayings, ...notesEn }, zh: { ...chineseSayings, ...notesZh } };

type Values<K extends keyof Notes> = Parameters<Notes[K]> extends [infer V] ? { [name in keyof V]: V[name] | Said } : undefined;

/** A sentence about a log, or a part of one. */
export function said<K extends keyof Notes>(key: K, ...[values]: Values<K> extends undefined ? [] : [Values<K>]): Said {
  return { key, values: { ...(values as Said['values'] | undefined) } };
}

/** Puts a sentence into words. */
export function inWords({ key, values }: Said, language: ReportLanguage): string {
  const sentence = SENTENCES[language][key] as (given: unknown) => string;
  return sentence(Object.fromEntries(Object.entries(values).map(([name, value]) => [name, typeof value === 'object' ? inWords(value, language) : value])));
}

/** Makes a note. */
export function note(level: LogNote['level'], sentence: Said, place: Pick<LogNote, 'line' | 'byte'> = {}): LogNote {
  return { level, message: inWords(sentence, 'en'), said: sentence, ...place };
}

/**
 * The sentence of a notice that a run wrote into its log, if it is one of ours: only where key and values make the very words
 * that the log holds, for a log may have been written by anything.
 */
export function saidInLog(message: string, key: unknown, values: Readonly<Record<string, string | number>>): Said | null {
  if (typeof key !== 'string' || !Object.hasOwn(englishSayings, key)) return null;
  const sentence: Said = { key: key as keyof Sayings, values };
  return inWords(sentence, 'en') === message ? sentence : null;
}

/** What a note says; in its English where a log was stored by a version that had no sentence for it, or another one. */
export function noteText({ message, said: sentence }: LogNote, language: ReportLanguage): string {
  return sentence && language !== 'en' && isKnown(sentence) ? inWords(sentence, language) : message;
}

function isKnown({ key, values }: Said): boolean {
  return Object.hasOwn(SENTENCES.en, key) && Object.values(values).every((value) => typeof value !== 'object' || isKnown(value));
}
