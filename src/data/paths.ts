/** File paths of folders, archives and dataset records, brought to one form. */

export type FileKind = 'records' | 'annotation' | 'image' | 'video' | 'archive' | 'clutter' | 'other';

const KINDS: readonly [FileKind, RegExp][] = [
  ['clutter', /(^|\/)(__MACOSX\/|\.|Thumbs\.db$|desktop\.ini$)/i],
  ['records', /\.(json|jsonl|ndjson|csv|tsv|parquet)$/i],
  ['annotation', /\.(xml|txt|ya?ml|names)$/i],
  ['image', /\.(png|jpe?g|jpe|jfif|webp|gif|bmp|avif)$/i],
  ['video', /\.(mp4|m4v|mov|webm|mkv|avi|mpe?g|wmv|flv|3gp|ogv)$/i],
  ['archive', /\.zip$/i],
];

/** What a file is, by its name; "clutter" is what operating systems leave behind. */
export function fileKind(path: string): FileKind {
  return KINDS.find(([, pattern]) => pattern.test(path))?.[0] ?? 'other';
}

/** Forward slashes, no empty or "." parts, ".." resolved (never above the top), letters composed (NFC), no leading slash or drive. */
export function normalizePath(path: string): string {
  const parts: string[] = [];
  for (const part of path.normalize('NFC').replaceAll('\\', '/').split('/')) {
    if (part === '' || part === '.') continue;
    if (part === '..') parts.pop();
    else parts.push(part);
  }
  if (parts.length > 1 && /^[A-Za-z]:$/.test(parts[0])) parts.shift();
  return parts.join('/');
}

/** "a/b/c.json" -> "a/b", "c.json" -> "". */
export function folderOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

/** "a/b/c.json" -> "c.json". */
export function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** "c.tar.gz" -> "c.tar"; names without an ending stay. */
export function stemOf(path: string): string {
  return path.replace(/(?<=[^/])\.[^./]*$/, '');
}
