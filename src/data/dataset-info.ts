/** LLaMA-Factory's dataset_info.json: what the columns of each file are called. As in its data/README.md. */
import { isPlainObject } from './media-reference.ts';
import { baseName } from './paths.ts';

type Columns = Record<string, unknown>;

/** Names in dataset_info.json -> names that our readers know, for its two formats. */
const ALPACA: Columns = { prompt: 'instruction', query: 'input', response: 'output', history: 'history', system: 'system', images: 'images', videos: 'videos', audios: 'audios', chosen: 'chosen', rejected: 'rejected', kto_tag: 'kto_tag', tools: 'tools' };
const SHAREGPT: Columns = { ...ALPACA, messages: 'conversations' };
const USUAL_TAGS = { role_tag: 'from', content_tag: 'value', user_tag: 'human', assistant_tag: 'gpt', observation_tag: 'observation', function_tag: 'function_call', system_tag: 'system' };

export type Rename = (record: unknown) => unknown;

/** Whether a JSON document is such a file: every entry says where its records come from. Hugging Face's own, in the plural, says only what they are like. */
export function isDatasetInfo(path: string, document: unknown): document is Record<string, Columns> {
  return /^dataset_infos?\.json$/.test(baseName(path)) && isPlainObject(document) && Object.values(document).every(isPlainObject);
}

/** How records of each named file are to be renamed, by the file's name. */
export function renamesOf(document: Record<string, Columns>): Map<string, Rename> {
  const renames = new Map<string, Rename>();
  for (const { file_name: name, formatting, columns, tags } of Object.values(document)) {
    if (typeof name !== 'string') continue;
    const known = formatting === 'sharegpt' ? SHAREGPT : ALPACA;
    const given = isPlainObject(columns) ? columns : {};
    const words = { ...USUAL_TAGS, ...(isPlainObject(tags) ? tags : {}) };
    renames.set(baseName(name), (record) => renamed(record, known, given, words));
  }
  return renames;
}

function renamed(record: unknown, known: Columns, given: Columns, tags: Columns): unknown {
  if (!isPlainObject(record)) return record;
  const result: Columns = { ...record };
  const used = Object.entries(given).filter(([role, name]) => typeof name === 'string' && Object.hasOwn(known, role) && Object.hasOwn(record, name));
  for (const [, name] of used) delete result[name as string];
  for (const [role, name] of used) {
    const value = record[name as string];
    result[known[role] as string] = Array.isArray(value) && ['messages', 'chosen', 'rejected'].includes(role) ? value.map((turn) => retagged(turn, tags)) : isPlainObject(value) ? retagged(value, tags) : value;
  }
  return result;
}

/** A turn under the usual tags; what it holds besides stays. */
function retagged(turn: unknown, tags: Columns): unknown {
  if (!isPlainObject(turn)) return turn;
  const { [String(tags.role_tag)]: role, [String(tags.content_tag)]: content, ...others } = turn;
  const usual = Object.entries(USUAL_TAGS).find(([tag]) => tag.endsWith('_tag') && !['role_tag', 'content_tag'].includes(tag) && tags[tag] === role)?.[1];
  return { ...others, from: usual ?? role, value: content };
}
