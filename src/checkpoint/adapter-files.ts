/** Where in a dropped folder the adapter lies: trainers keep one at the top, and one in each checkpoint. */
import { LorikeetError } from '../protocol/errors.ts';
import type { PathFile } from '../protocol/messages.ts';
import { ADAPTER_CONFIG_FILE, ADAPTER_WEIGHTS_FILE } from './adapter.ts';

export interface AdapterFiles {
  config: Blob;
  weights: Blob;
  /** Folders of further adapters, deeper down. */
  others: string[];
}

const folderOf = (path: string) => path.slice(0, Math.max(0, path.lastIndexOf('/')));
const depthOf = (path: string) => path.split('/').length;

/**
 * The outermost adapter whose two files lie together.
 * @param name what errors call the folder
 * @throws LorikeetError "file-missing" naming the file that is not there, or that several adapters lie equally far out
 */
export function outermostAdapter(files: readonly PathFile[], name: string): AdapterFiles {
  const named = (wanted: string) => files.filter(({ path }) => path === wanted || path.endsWith(`/${wanted}`)).sort((a, b) => depthOf(a.path) - depthOf(b.path));
  const missing = (message: string, file: string) => new LorikeetError('file-missing', message, 'Choose one folder that PEFT saved: adapter_config.json beside adapter_model.safetensors.', { file });
  const configs = named(ADAPTER_CONFIG_FILE);
  const weights = named(ADAPTER_WEIGHTS_FILE);
  if (configs.length === 0) throw missing(`${name} has no ${ADAPTER_CONFIG_FILE}.`, ADAPTER_CONFIG_FILE);
  const whole = configs.flatMap((config) => weights.filter(({ path }) => folderOf(path) === folderOf(config.path)).map((found) => ({ config, weights: found })));
  if (whole.length === 0) throw missing(`${name} has no ${ADAPTER_WEIGHTS_FILE} beside its ${ADAPTER_CONFIG_FILE}.`, ADAPTER_WEIGHTS_FILE);
  const [first, ...others] = whole;
  const level = whole.filter(({ config }) => depthOf(config.path) === depthOf(first.config.path));
  if (level.length > 1) throw missing(`${name} holds ${level.length} adapters side by side: ${level.slice(0, 3).map(({ config }) => folderOf(config.path)).join(', ')}.`, ADAPTER_CONFIG_FILE);
  return { config: first.config.file, weights: first.weights.file, others: others.map(({ config }) => folderOf(config.path)) };
}
