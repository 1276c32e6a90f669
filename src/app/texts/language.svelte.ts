/** The language in force and its dictionary. */
import type { Sayings } from '../../protocol/sayings.ts';
import { en, type Texts } from './en.ts';
import { zh } from './zh.ts';

export type LanguageCode = 'en' | 'zh';

const STORAGE_KEY = 'lorikeet.language';
const DICTIONARIES: Readonly<Record<LanguageCode, Texts>> = { en, zh };

class Language {
  code = $state<LanguageCode>(initialLanguage());
  readonly t: Texts = $derived(DICTIONARIES[this.code]);

  /** A sentence of the trainer in the language in force; in its own words where its key is not known here. */
  say({ key, values, message }: { key?: string; values?: Record<string, string | number>; message: string }): string {
    if (key === undefined || !Object.hasOwn(this.t.sayings, key)) return message;
    const sentence = this.t.sayings[key as keyof Sayings] as (given: unknown) => string;
    return sentence(values ?? {});
  }

  /** Switches the language and remembers it. */
  set(code: LanguageCode): void {
    this.code = code;
    try {
      localStorage.setItem(STORAGE_KEY, code);
    } catch {
      // Blocked storage costs only the memory of this choice.
    }
  }
}

function initialLanguage(): LanguageCode {
  try {
    const stored = localStorage.getItem(STORAGE_KEY);
    if (stored === 'en' || stored === 'zh') return stored;
  } catch {
    // Falls through to the browser's language.
  }
  return navigator.language.toLowerCase().startsWith('zh') ? 'zh' : 'en';
}

export const language = new Language();
