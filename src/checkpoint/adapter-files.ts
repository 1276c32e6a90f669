/** Where in a dropped folder the adapter lies: trainers keep one at the top, and one in each checkpoint. */
import { LorikeetError } from '../protocol/errors.ts';
import type { PathFile } from '../protocol/messages.ts';
import { ADAPTER_CONFIG_FILE, ADAPTER_WEIGHTS_FILE } from './adapter.ts';

export interface AdapterFiles {
  /** Where they lie in what was dropped; '' for the top. */
  folder: string;
  config: Blob;
  weights: Blob;
}

const ADVICE = 'Choose one folder that PEFT saved: adapter_config.json beside adapter_model.safetensors.';
const folderOf = (path: string) => path.slice(0, Math.max(0, path.lastIndexOf('/')));
const depthOf = (folder: string) => (folder === '' ? 0 : folder.split('/').length);
const byNumber = new Intl.Collator('en', { numeric: true });

/** Every adapter whose two files lie together, the outermost first, checkpoints by their numbers. */
export function adaptersIn(files: readonly PathFile[]): AdapterFiles[] {
  const named = (wanted: string) => new Map(files.filter(({ path }) => path === wanted || path.endsWith(`/${wanted}`)).map(({ path, file }) => [folderOf(path), file]));
  const weights = named(ADAPTER_WEIGHTS_FILE);
  return [...named(ADAPTER_CONFIG_FILE)]
    .flatMap(([folder, config]) => (weights.has(folder) ? [{ folder, config, weights: weights.get(folder)! }] : []))
    .sort((a, b) => depthOf(a.folder) - depthOf(b.folder) || byNumber.compare(a.folder, b.folder));
}

/** The one that lies further out than all others; null where there is none. */
export function outermostOf(adapters: readonly AdapterFiles[]): AdapterFiles | null {
  const [first, second] = adapters;
  return first && (!second || depthOf(second.folder) > depthOf(first.folder)) ? first : null;
}

/**
 * The outermost adapter whose two files lie together, or the one of a folder that was chosen.
 * @param name what errors call what was dropped
 * @throws LorikeetError "file-missing" naming the file that is not there, or that several adapters lie equally far out
 */
export function adapterFilesIn(files: readonly PathFile[], name: string, folder?: string): AdapterFiles {
  const found = adaptersIn(files);
  const chosen = folder === undefined ? outermostOf(found) : found.find((adapter) => adapter.folder === folder);
  if (chosen) return chosen;
  const missing = (message: string, file: string) => new LorikeetError('file-missing', message, ADVICE, { file });
  if (found.length > 0) throw missing(folder === undefined ? `${name} holds ${found.length} adapters, and none further out than the others: ${found.slice(0, 3).map((adapter) => adapter.folder).join(', ')}.` : `${name} has no adapter in ${folder}.`, ADAPTER_CONFIG_FILE);
  const hasConfig = files.some(({ path }) => path === ADAPTER_CONFIG_FILE || path.endsWith(`/${ADAPTER_CONFIG_FILE}`));
  if (!hasConfig) throw missing(`${name} has no ${ADAPTER_CONFIG_FILE}.`, ADAPTER_CONFIG_FILE);
  throw missing(`${name} has no ${ADAPTER_WEIGHTS_FILE} beside its ${ADAPTER_CONFIG_FILE}.`, ADAPTER_WEIGHTS_FILE);
}
