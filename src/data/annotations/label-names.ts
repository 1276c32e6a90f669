/** Names of YOLO's classes: from data.yaml, or from a list with one name a line. */
import { baseName } from '../paths.ts';

const LISTS = /^(?:classes|obj|predefined_classes|_darknet|labels)\.(?:txt|names|labels)$/i;
const MAX_NAMES = 100_000;

/** Whether a file's name says that it lists classes. */
export function mayNameLabels(path: string): boolean {
  return /\.ya?ml$/i.test(path) || LISTS.test(baseName(path));
}

/** Names by class number; null where the text holds none. */
export function readLabelNames(path: string, text: string): Map<number, string> | null {
  const names = /\.ya?ml$/i.test(path) ? fromYaml(text) : new Map(text.split(/\r?\n/).map((line) => line.trim()).filter(Boolean).map((name, i): [number, string] => [i, name]));
  return names.size === 0 || names.size > MAX_NAMES ? null : names;
}

/** The `names` of a data.yaml: a list or a table, on one line or over several. The rest of the file is not read. */
function fromYaml(text: string): Map<number, string> {
  const lines = text.split(/\r?\n/).map((line) => line.replace(/(^|\s)#.*$/, '').trimEnd());
  const start = lines.findIndex((line) => /^names\s*:/.test(line));
  const names = new Map<number, string>();
  if (start < 0) return names;
  const add = (entry: string, at: number) => {
    const keyed = /^(\d+)\s*:\s*(.*)$/.exec(entry);
    const name = unquoted(keyed ? keyed[2] : entry);
    if (name !== '') names.set(keyed ? Number(keyed[1]) : at, name);
  };
  const first = lines[start].replace(/^names\s*:\s*/, '');
  if (/^[[{]/.test(first)) {
    const flow = [first, ...lines.slice(start + 1)].join(' ');
    const end = flow.search(/[\]}]/);
    splitFlow(flow.slice(1, end < 0 ? undefined : end)).forEach(add);
    return names;
  }
  let at = 0;
  for (const line of lines.slice(start + 1)) {
    if (line === '') continue;
    const entry = /^\s*-\s+(.*)$/.exec(line)?.[1] ?? /^\s+(\d+\s*:.*)$/.exec(line)?.[1];
    if (entry === undefined) break;
    add(entry.trim(), at++);
  }
  return names;
}

/** Commas between quotation marks separate nothing. */
function splitFlow(text: string): string[] {
  return (text.match(/(?:"[^"]*"|'[^']*'|[^,])+/g) ?? []).map((entry) => entry.trim()).filter(Boolean);
}

function unquoted(text: string): string {
  const quoted = /^(["'])(.*)\1$/.exec(text.trim());
  return (quoted ? quoted[2] : text).trim();
}
