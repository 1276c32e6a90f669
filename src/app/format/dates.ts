/** Points in time as people read them. */
import type { LanguageCode } from '../texts/language.svelte.ts';

const LOCALES: Readonly<Record<LanguageCode, string>> = { en: 'en-GB', zh: 'zh-CN' };
/** Making one takes a browser longer than the rest of a row of a list. */
const formats = new Map<LanguageCode, Intl.DateTimeFormat>();

/** "28 Nov 2026, 03:15", in the time zone of this computer. @param time ISO 8601 */
export function formatDateTime(time: string, language: LanguageCode): string {
  const format = formats.get(language) ?? new Intl.DateTimeFormat(LOCALES[language], { dateStyle: 'medium', timeStyle: 'short' });
  formats.set(language, format);
  return format.format(new Date(time));
}
