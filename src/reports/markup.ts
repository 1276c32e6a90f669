/** Text from logs inside HTML and SVG. */

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** Makes any text safe as element content and as a quoted attribute; control characters, which XML forbids, and halves of surrogate pairs become U+FFFD. */
export function escapeMarkup(text: string): string {
  return text
    .replace(/[\ud800-\udfff]/gu, '\ufffd')
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\ufffe\uffff\u202a-\u202e\u2066-\u2069]/g, '\ufffd')
    .replace(/[&<>"']/g, (character) => ENTITIES[character]);
}

/**
 * A metric's or run's name as part of a file name: letters, digits, dot, dash and underscore of any metric; other letters stay.
 * @param taken names in use in the same folder, in lower case; the new one is added
 */
export function fileName(name: string, taken: Set<string>): string {
  const plain = name.normalize('NFC').replace(/[^\p{L}\p{N}._-]+/gu, '_').replace(/\.{2,}/g, '.').replace(/^[._]+/, '').replace(/\.+$/, '').slice(0, 80) || 'unnamed';
  let candidate = plain;
  for (let n = 2; taken.has(candidate.toLowerCase()); n += 1) candidate = `${plain}-${n}`;
  taken.add(candidate.toLowerCase());
  return candidate;
}
