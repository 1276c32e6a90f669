/** Pascal VOC's own lists of images, ImageSets/Main/train.txt and its like: they decide what is trained on. */
import type { PathFile } from '../../protocol/messages.ts';
import { readChosen } from '../chosen-file.ts';
import { baseName, stemOf } from '../paths.ts';
import type { ProblemList } from '../problems.ts';
import type { Split } from '../split-names.ts';
import type { AnnotatedImage, AnnotationSet } from './annotated-image.ts';

/** The first list that names an image counts. Both halves together tell only of images that neither names. */
const LISTS: readonly [name: string, split: Split][] = [['train', 'train'], ['val', 'validation'], ['test', 'test'], ['trainval', 'train']];
const MAX_LIST_BYTES = 64 * 2 ** 20;
const FOLDER = /^((?:.*\/)?)ImageSets\//;

/** Lists by the folder that holds them and the annotations. */
export type VocLists = ReadonlyMap<string, ReadonlyMap<string, Split>>;

/** @param used takes all files of such folders: lists of single classes, of layouts and segmentations are the format's own */
export async function readVocLists(files: readonly PathFile[], used: Set<PathFile>): Promise<VocLists> {
  const lists = new Map<string, Map<string, Split>>();
  const byPath = new Map(files.map((file) => [file.path, file]));
  const roots = new Set<string>();
  for (const file of files) {
    const root = FOLDER.exec(file.path)?.[1];
    if (root === undefined || !/\.txt$/i.test(file.path)) continue;
    roots.add(root);
    used.add(file);
  }
  for (const root of roots) {
    const splits = new Map<string, Split>();
    for (const [name, split] of LISTS) {
      const path = `${root}ImageSets/Main/${name}.txt`;
      const file = byPath.get(path)?.file;
      if (!file || file.size > MAX_LIST_BYTES) continue;
      for (const line of (await readChosen(path, () => file.text())).split('\n')) {
        const [image] = line.trim().split(/\s+/);
        if (image !== '' && !splits.has(image)) splits.set(image, split);
      }
    }
    if (splits.size > 0) lists.set(root, splits);
  }
  return lists;
}

/** One set for each split; images that no list names are left out and counted. Sets without lists stay as they are. */
export function splitByLists(sets: readonly AnnotationSet[], lists: VocLists, problems: ProblemList): AnnotationSet[] {
  return sets.flatMap((set) => {
    const root = [...lists.keys()].filter((folder) => set.path.startsWith(folder)).sort((a, b) => b.length - a.length).at(0);
    const splits = root === undefined ? undefined : lists.get(root);
    if (!splits) return [set];
    const parts = new Map<Split, AnnotatedImage[]>();
    let unlisted = 0;
    for (const image of set.images) {
      const split = splits.get(stemOf(baseName(image.place.file ?? image.name)));
      if (split === undefined) unlisted++;
      else if (parts.has(split)) parts.get(split)!.push(image);
      else parts.set(split, [image]);
    }
    const place = { file: `${root}ImageSets/Main` };
    if (parts.size === 0) {
      problems.warning('The lists of ImageSets/Main name none of the annotated images and were not gone by.', 'Check that they belong to these annotations: a line is the name of an image without its ending.', place);
      return [set];
    }
    if (unlisted > 0) problems.warning(`${unlisted} annotated images are in no list of ImageSets/Main and were left out.`, 'Add them to train.txt or val.txt to use them, or drop the annotations without the lists.', place);
    // What is wrong with the folder as a whole is counted once.
    return [...parts].map(([split, images], i) => ({ ...set, path: `${set.path} (${split})`, split, images, rejected: i === 0 ? set.rejected : 0 }));
  });
}
