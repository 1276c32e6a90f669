/** Where an exported run keeps what: paths inside its folder. */

export const MANIFEST_FILE = 'lorikeet_run.json';
export const LOG_FILE = 'training_log.json';
export const PREDICTIONS_FILE = 'val_predictions.jsonl';
export const ANSWERS_FILE = 'val_answers.jsonl';

/** Names of directories of adapters and states. */
export const DIRECTORY_NAME = /^(?:best|final|start|reference|checkpoint-(?:samples-)?\d{1,12})$/;
/** Names of the files in them. */
export const PLAIN_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;

/** Kinds of pictures that runs exchange, by what their files are called. */
export const IMAGE_EXTENSIONS = { png: 'png', jpeg: 'jpg', webp: 'webp' } as const;
export type KeptImageType = keyof typeof IMAGE_EXTENSIONS;

/** What one of the files beside the directories is. */
export type RunPart =
  | { kind: 'log' | 'predictions' | 'answers' }
  | { kind: 'completions'; step: number }
  /** Picture of a training sample that completions refer to, or of an answer of the last validation. */
  | { kind: 'sample' | 'answer'; index: number; type: KeptImageType };

/** TRL's name for the completions of one step. */
export function completionsFile(step: number): string {
  return `completions/completions_${String(step).padStart(5, '0')}.jsonl`;
}

export function imageFile(kind: 'sample' | 'answer', index: number, type: KeptImageType): string {
  return `pictures/${kind}-${index}.${IMAGE_EXTENSIONS[type]}`;
}

/** What a path stands for, or null. Each part has exactly one spelling. */
export function partOf(path: string): RunPart | null {
  if (path === LOG_FILE) return { kind: 'log' };
  if (path === PREDICTIONS_FILE) return { kind: 'predictions' };
  if (path === ANSWERS_FILE) return { kind: 'answers' };
  const [, digits] = /^completions\/completions_(\d{5,15})\.jsonl$/.exec(path) ?? [];
  if (digits !== undefined) return completionsFile(Number(digits)) === path ? { kind: 'completions', step: Number(digits) } : null;
  const [, kind, number, extension] = /^pictures\/(sample|answer)-(0|[1-9]\d{0,14})\.(png|jpg|webp)$/.exec(path) ?? [];
  if (kind === undefined) return null;
  return { kind: kind as 'sample' | 'answer', index: Number(number), type: extension === 'jpg' ? 'jpeg' : (extension as KeptImageType) };
}

/** True for a path, inside any folder, of a file that an import may want. */
export function mayBelongToRun(path: string): boolean {
  const parts = path.split('/');
  const name = parts.pop() ?? '';
  const folder = parts.pop() ?? '';
  return name === MANIFEST_FILE || partOf(name) !== null || partOf(`${folder}/${name}`) !== null || (DIRECTORY_NAME.test(folder) && PLAIN_NAME.test(name));
}
