/** A LLaVA record's conversation as Hugging Face messages: pictures in the order of their places, one newline on either side of a place dropped. */
import type { Json } from './folder.ts';

const ROLES: Readonly<Record<string, string>> = { human: 'user', user: 'user', gpt: 'assistant', assistant: 'assistant', system: 'system' };

/** @param record `image` (a name or a list), `system` where there is one, and `conversations` */
export function llavaMessages(record: Json): Json[] {
  const images = [record.image ?? []].flat() as string[];
  const system = record.system ? [{ role: 'system', content: [{ type: 'text', text: record.system }] }] : [];
  const turns = (record.conversations as Json[]).map(({ from, value }) => {
    const texts = (value as string).split('<image>');
    const content = texts.flatMap((text, i) => {
      const trimmed = (i > 0 ? text.replace(/^\n/, '') : text).replace(i < texts.length - 1 ? /\n$/ : /$^/, '');
      return [...(i > 0 ? [{ type: 'image', image: images.shift() }] : []), ...(trimmed === '' ? [] : [{ type: 'text', text: trimmed }])];
    });
    return { role: ROLES[from], content };
  });
  return [...system, ...turns];
}
