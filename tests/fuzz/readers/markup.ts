/** Whether markup that was made from a log could run something. */

const HARMLESS = new Set([
  '!doctype', 'html', 'head', 'meta', 'title', 'style', 'body', 'main', 'h1', 'h2', 'h3', 'p', 'section', 'div', 'table', 'thead', 'tbody', 'tr', 'th', 'td', 'span', 'figure',
  'svg', 'g', 'path', 'line', 'text', 'rect', 'circle', 'polyline', 'details', 'summary', 'tspan', 'defs', 'clippath',
]);

/** A report's runs as data: of a type that no browser runs, and without a "<" that could end it. */
const DATA = /<script type="application\/json" id="lorikeet-runs">[^<]*<\/script>/;

/** The first tag that is none of ours or carries a handler; null for none. */
export function markupFault(markup: string): string | null {
  for (const [whole, tag, rest] of markup.replace(DATA, '').matchAll(/<\/?([a-zA-Z!][^\s>/]*)((?:"[^"]*"|[^">])*)>/g)) {
    const names = rest.replaceAll(/="[^"]*"/g, '=""');
    const scripted = /\son\w+\s*=/i.test(names) || /="\s*javascript:/i.test(rest);
    if (!HARMLESS.has(tag.toLowerCase()) || scripted) return whole.slice(0, 200);
  }
  return null;
}
