/**
 * Annotations in many small files that were dropped together with files of records.
 *
 * Where both are of the same pictures, reading both would teach each picture twice: somebody has made the records from
 * the annotations, or keeps several exports of one set. What lies in a folder of its own, together with its pictures,
 * is a set of its own.
 */
import type { PathFile } from '../../protocol/messages.ts';
import { readChosen } from '../chosen-file.ts';
import { baseName, fileKind, folderOf, stemOf } from '../paths.ts';
import type { AnnotationFormat } from './annotated-image.ts';
import { mayNameLabels } from './label-names.ts';
import { isYolo } from './yolo.ts';

export interface Divided {
  /** In folders without records; what of them are annotations their readers find out. */
  apart: PathFile[];
  /** Annotations of pictures that records lie beside, by their layout. */
  beside: Map<AnnotationFormat, PathFile[]>;
  /** Names of classes and lists of images that belong to these. */
  belonging: PathFile[];
}

interface Layout {
  format: AnnotationFormat;
  ending: RegExp;
  fits(start: string): boolean;
}

const LAYOUTS: readonly Layout[] = [
  { format: 'Pascal VOC', ending: /\.xml$/i, fits: (start) => /<annotation[\s>]/.test(start) },
  // The last line may be cut off.
  { format: 'YOLO', ending: /\.txt$/i, fits: (start) => isYolo(start.slice(0, start.lastIndexOf('\n') + 1)) && start.trim() !== '' },
];
/** Enough to tell a layout by. */
const START_BYTES = 4096;

/** @param texts text, XML and YAML files of a drop; media its pictures */
export async function divide(texts: readonly PathFile[], media: readonly PathFile[], records: readonly PathFile[]): Promise<Divided> {
  const withRecords = new Set(records.flatMap(({ path }) => foldersOf(path)));
  const pictures = new Set(media.flatMap(({ path }) => (fileKind(path) === 'image' ? foldersOf(path).map((folder) => keyOf(folder, path)) : [])));
  const apart: PathFile[] = [];
  const near: PathFile[] = [];
  const belonging: PathFile[] = [];
  for (const file of texts) {
    // The smallest folder that holds it and a picture of its name.
    const part = foldersOf(file.path).find((folder) => pictures.has(keyOf(folder, file.path)));
    if (part !== undefined) (withRecords.has(part) ? near : apart).push(file);
    else if (annotatesNoPicture(file.path)) (withRecords.has(folderOf(file.path)) ? belonging : apart).push(file);
  }
  const beside = new Map<AnnotationFormat, PathFile[]>();
  for (const { format, ending, fits } of LAYOUTS) {
    const files = near.filter(({ path }) => ending.test(path));
    if (files.length > 0 && (await someFit(files, fits))) beside.set(format, files);
  }
  return { apart, beside, belonging: beside.size > 0 ? belonging : [] };
}

/** Names of classes, and lists of images: they belong to those that do. */
const annotatesNoPicture = (path: string) => mayNameLabels(path) || /(^|\/)ImageSets\//.test(path);

/** The first few tell: one may be empty, for a picture without objects. */
async function someFit(files: readonly PathFile[], fits: Layout['fits']): Promise<boolean> {
  for (const { path, file } of files.slice(0, 3)) if (fits(await readChosen(path, () => file.slice(0, START_BYTES).text()))) return true;
  return false;
}

/** From its own folder up to the top, "". */
function foldersOf(path: string): string[] {
  const folders: string[] = [];
  for (let folder = folderOf(path); ; folder = folderOf(folder)) {
    folders.push(folder);
    if (folder === '') return folders;
  }
}

const keyOf = (folder: string, path: string) => `${folder}\0${stemOf(baseName(path))}`;
