/** Annotations that lie in many small files, one for each image: Pascal VOC and YOLO; and folders that are named by what their images show. */
import type { PathFile } from '../../protocol/messages.ts';
import { readChosen } from '../chosen-file.ts';
import { baseName, fileKind, folderOf, stemOf } from '../paths.ts';
import type { ProblemList } from '../problems.ts';
import { type AnnotatedImage, type AnnotationFormat, type AnnotationSet, BoxTally } from './annotated-image.ts';
import { mayNameLabels, readLabelNames } from './label-names.ts';
import { readVoc } from './voc.ts';
import { readVocLists, splitByLists } from './voc-lists.ts';
import { isYolo, readYolo } from './yolo.ts';

const MAX_TEXT_BYTES = 4 * 2 ** 20;

export interface AnnotationFolders {
  sets: AnnotationSet[];
  /** Files that were read; the others are no annotations. */
  used: Set<PathFile>;
}

/** A set for each folder, so that folders named "train" and "val" keep their meaning. */
class SetsByFolder {
  private readonly sets = new Map<string, { set: AnnotationSet; tally: BoxTally }>();

  constructor(private readonly format: AnnotationFormat) {}

  at(path: string): { set: AnnotationSet; tally: BoxTally } {
    const folder = folderOf(path);
    const known = this.sets.get(folder) ?? { set: { format: this.format, path: folder === '' ? '*' : `${folder}/*`, images: [], rejected: 0 }, tally: new BoxTally() };
    this.sets.set(folder, known);
    return known;
  }

  get all(): AnnotationSet[] {
    return [...this.sets.values()].map(({ set }) => set);
  }

  finish(problems: ProblemList): AnnotationSet[] {
    return [...this.sets.values()].map(({ set, tally }) => {
      tally.report(set.path, problems);
      return set;
    });
  }
}

/** @param files text, XML and YAML files of a drop; media its pictures */
export async function readAnnotationFolders(files: readonly PathFile[], media: readonly PathFile[], problems: ProblemList): Promise<AnnotationFolders> {
  const used = new Set<PathFile>();
  const voc = await readVocFiles(files, used, problems);
  const yolo = await readYoloFiles(files, media, used, problems);
  return { sets: [...voc, ...yolo], used };
}

async function readVocFiles(files: readonly PathFile[], used: Set<PathFile>, problems: ProblemList): Promise<AnnotationSet[]> {
  const sets = new SetsByFolder('Pascal VOC');
  for (const file of files.filter(({ path }) => /\.xml$/i.test(path))) {
    const { set, tally } = sets.at(file.path);
    try {
      const image = await readVoc(file, tally);
      if (!image) continue;
      set.images.push(image);
    } catch (error) {
      problems.caught(error, { file: file.path });
      set.rejected++;
    }
    used.add(file);
  }
  const found = sets.finish(problems).filter(({ images, rejected }) => images.length + rejected > 0);
  return found.length === 0 ? [] : splitByLists(found, await readVocLists(files, used), problems);
}

async function readYoloFiles(files: readonly PathFile[], media: readonly PathFile[], used: Set<PathFile>, problems: ProblemList): Promise<AnnotationSet[]> {
  const labels = new Map<string, { file: PathFile; text: string }>();
  const pictures = media.filter(({ path }) => fileKind(path) === 'image');
  const stems = new Set(pictures.map(({ path }) => labelPath(path)));
  for (const file of files) {
    if (!/\.txt$/i.test(file.path) || !stems.has(labelPath(file.path)) || file.file.size > MAX_TEXT_BYTES) continue;
    const text = await readChosen(file.path, () => file.file.text());
    if (isYolo(text)) labels.set(labelPath(file.path), { file, text });
  }
  if (labels.size === 0) return [];
  const names = await labelNames(files, used, problems);
  const sets = new SetsByFolder('YOLO');
  const folders = new Set([...labels.keys()].map(folderOf));
  for (const { path } of pictures) {
    const label = labels.get(labelPath(path));
    // Where labels lie beside it, a picture without one shows nothing: so the format says it.
    if (!label && !folders.has(folderOf(labelPath(path)))) continue;
    const place = { file: label?.file.path ?? path };
    const { set, tally } = sets.at(path);
    try {
      const image: AnnotatedImage = { name: path, size: null, objects: label ? readYolo(label.text, names, place, tally) : [], place };
      set.images.push(image);
    } catch (error) {
      problems.caught(error);
      set.rejected++;
    }
    if (label) used.add(label.file);
  }
  return sets.finish(problems);
}

async function labelNames(files: readonly PathFile[], used: Set<PathFile>, problems: ProblemList): Promise<ReadonlyMap<number, string>> {
  for (const file of files) {
    if (!mayNameLabels(file.path) || file.file.size > MAX_TEXT_BYTES) continue;
    const names = readLabelNames(file.path, await readChosen(file.path, () => file.file.text()));
    if (!names) continue;
    used.add(file);
    return names;
  }
  problems.error('The YOLO labels number their classes, but no file names them.', 'Drop the data.yaml or classes.txt that belongs to them.', {}, 'file-missing');
  return new Map();
}

/** "images" becomes "labels", as YOLO's own loader has it; a label beside its picture differs in its ending only. */
function labelPath(path: string): string {
  return stemOf(path).split('/').map((part) => (part === 'images' ? 'labels' : part)).join('/');
}

/**
 * Pictures without any records, in folders of their own: what a folder is called is what its pictures show, as in
 * Hugging Face's imagefolder and torchvision. Null for pictures that do not lie so.
 */
export function classFolders(media: readonly PathFile[]): AnnotationSet[] | null {
  if (media.length === 0 || media.some(({ path }) => fileKind(path) !== 'image' || folderOf(path) === '')) return null;
  const classes = new Set(media.map(({ path }) => baseName(folderOf(path))));
  if (classes.size < 2 || classes.has('images')) return null;
  const sets = new SetsByFolder('class folders');
  for (const { path } of media) {
    const folder = folderOf(path);
    sets.at(folder).set.images.push({ name: path, size: null, objects: [], text: baseName(folder), place: { file: path } });
  }
  return sets.all;
}
