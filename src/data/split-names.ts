/** Which record files are for training and which for validation, by their names. */
import { baseName, folderOf, stemOf } from './paths.ts';
import type { ProblemList } from './problems.ts';

export type Split = 'train' | 'validation' | 'test';

const WORDS: Readonly<Record<string, Split>> = {
  ...{ train: 'train', training: 'train' },
  ...{ val: 'validation', valid: 'validation', validation: 'validation', dev: 'validation', eval: 'validation', evaluation: 'validation' },
  ...{ test: 'test', testing: 'test' },
};

/**
 * Sorts record files by the whole words of their own names, or else by a folder that is called just so. What the
 * dropped folder or archive is called says nothing. What says its split itself is not asked for its name. A test file counts only where no validation file is. Where nothing
 * would be left to train on, names are not gone by.
 */
export function splitByName<T extends { path: string; split?: Split }>(records: readonly T[], problems: ProblemList): { train: T[]; validation: T[] } {
  const splits = records.map(({ path, split }) => split ?? splitOf(path));
  const of = (split: Split) => records.filter((_, i) => (splits[i] ?? 'train') === split);
  const [train, validation, test] = [of('train'), of('validation'), of('test')];
  if (train.length === 0 && records.length > 0) {
    problems.warning(
      `All files are named like validation or test data: ${records.slice(0, 3).map(({ path }) => path).join(', ')}. They are trained on.`,
      'Drop the training data too, or drop these files as validation data.',
    );
    return { train: [...records], validation: [] };
  }
  if (validation.length === 0) return { train, validation: test };
  for (const { path } of test) problems.warning('This test file was left out: there is a validation file already.', 'Drop it as validation data to use it.', { file: path });
  return { train, validation };
}

function splitOf(path: string): Split | undefined {
  const words = stemOf(baseName(path)).toLowerCase().split(/[^a-z]+/);
  const own = words.flatMap((word) => (Object.hasOwn(WORDS, word) ? [WORDS[word]] : []));
  // "train_test_split.json" is what was split, not what was split off.
  if (own.length > 0) return own.includes('train') ? 'train' : own[0];
  const folders = folderOf(path).toLowerCase().split('/');
  const named = folders.findLast((folder) => Object.hasOwn(WORDS, folder));
  return named === undefined ? undefined : WORDS[named];
}
