/** Annotations from CVAT -> JSON files of samples, as large tasks need it: texts that are ready, not records by the hundred thousand. */
import type { PathFile } from '../protocol/messages.ts';
import { type CvatImport, type CvatOptions, importCvat, type LlavaRecord } from './cvat.ts';

export interface CvatOpening {
  /** Asks for `cvatFiles`. */
  kind: 'open';
  files: readonly PathFile[];
}

export interface CvatConversion {
  kind: 'convert';
  files: readonly PathFile[];
  options: CvatOptions;
  /** As in `importCvat`. */
  boxes: 'whole' | 'exact';
}

export interface CvatParts extends Omit<CvatImport, 'train' | 'validation' | 'test'> {
  /** The samples as JSON files; an empty part has none. */
  train: PathFile[];
  validation: PathFile[];
  test: PathFile[];
}

/** Records that become text at a time. */
const AT_ONCE = 1000;

/** Converts annotation files as `importCvat` does, and writes the samples. */
export async function convertCvat({ files, options, boxes }: CvatConversion): Promise<CvatParts> {
  const { train, validation, test, ...told } = await importCvat(files, options, boxes);
  return { ...told, train: asFile('train.json', train), validation: asFile('val.json', validation), test: asFile('test.json', test) };
}

function asFile(path: string, records: readonly LlavaRecord[]): PathFile[] {
  if (records.length === 0) return [];
  const pieces: string[] = [];
  for (let i = 0; i < records.length; i += AT_ONCE) {
    // Without its brackets, each slice is a part of the whole list.
    pieces.push(JSON.stringify(records.slice(i, i + AT_ONCE), null, 2).slice(1, -2));
  }
  return [{ path, file: new Blob(['[', pieces.join(','), '\n]'], { type: 'application/json' }) }];
}
