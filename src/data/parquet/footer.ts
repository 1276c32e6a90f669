/** The footer of a parquet file: its columns, and where the pieces of each lie. */
import type { FileMetaData, SchemaTree } from 'hyparquet';
import { parquetMetadata, parquetSchema } from 'hyparquet/src/metadata.js';
import { LorikeetError } from '../../protocol/errors.ts';
import { LFS_START } from '../lfs-pointer.ts';
import { isPlainObject } from '../media-reference.ts';
import { checkCodec } from './codecs.ts';
import { Damage, expectBetween } from './damage.ts';
import { endOfStruct } from './thrift-shape.ts';

/** One column of plain values, which may lie within lists and structures. */
export interface Leaf {
  /** "messages.list.element.role", as parquet calls it. */
  name: string;
  /** From the root to the leaf. */
  path: readonly SchemaTree[];
  /** Bytes that are not said to be text: pictures and clips. */
  binary: boolean;
  maxRepetition: number;
  maxDefinition: number;
}

/** What a row group holds of a leaf. */
export interface Chunk {
  leaf: Leaf;
  codec: string;
  /** Values in it, missing ones and empty lists counted. */
  values: number;
  start: number;
  end: number;
}

export interface Footer {
  /** Columns as their users know them. */
  columns: readonly SchemaTree[];
  groups: readonly { rows: number; chunks: readonly Chunk[] }[];
  rows: number;
  /** Names of classes by column ("label", "objects.category"), where Hugging Face's own note in the file gives them. */
  classes: ReadonlyMap<string, readonly string[]>;
}

/** More rows than these are not read of one file. */
export const MAX_ROWS = 2_000_000;
const MAX_FOOTER_BYTES = 64 * 2 ** 20;
const MAX_COLUMNS = 1000;
/** Values of one column in one row group; lists have many to a row. */
const MAX_VALUES = 64 * 2 ** 20;
/** "PAR1", and the length of the footer before it. */
const TAIL_BYTES = 8;
const AGAIN = 'Download it again; it may be cut off.';

/** @throws LorikeetError "dataset" naming the file: no parquet, cut off, encrypted, or more than is read */
export async function readFooter(path: string, file: Blob): Promise<Footer> {
  const fault = (message: string, advice: string, cause?: unknown) => new LorikeetError('dataset', message, advice, { file: path }, { cause });
  const start = new TextDecoder('latin1').decode(await file.slice(0, LFS_START.length).arrayBuffer());
  if (start === LFS_START) throw fault('This is a Git LFS pointer, not the file itself.', 'Run "git lfs pull" in the folder and drop it again.');
  if (file.size === 0) throw fault('The file is empty.', 'Export the dataset again.');
  const tail = new DataView(await file.slice(Math.max(0, file.size - TAIL_BYTES)).arrayBuffer());
  const magic = tail.byteLength < TAIL_BYTES ? '' : String.fromCharCode(...new Uint8Array(tail.buffer, 4));
  if (magic === 'PARE' || start.startsWith('PARE')) throw fault('The file is encrypted.', 'Write it again without encryption.');
  if (!start.startsWith('PAR1')) throw fault('This is no parquet file: it does not begin with "PAR1".', 'Check what it is; its name may be wrong.');
  if (magic !== 'PAR1') throw fault('The file is cut off: it does not end with "PAR1".', AGAIN);
  const length = tail.getUint32(0, true);
  if (length > file.size - TAIL_BYTES - 4) throw fault(`Its footer says that it has ${length} bytes, and the file has ${file.size}.`, AGAIN);
  if (length > MAX_FOOTER_BYTES) throw fault(`Its footer has ${Math.round(length / 2 ** 20)} MiB; at most ${MAX_FOOTER_BYTES / 2 ** 20} MiB are read.`, 'Split the file into several.');
  try {
    const bytes = new Uint8Array(await file.slice(file.size - TAIL_BYTES - length).arrayBuffer());
    if (endOfStruct(bytes, 0) > length) throw new Damage('it is longer than it says');
    return understood(parquetMetadata(bytes, { geoparquet: false }), file.size - TAIL_BYTES - length);
  } catch (error) {
    if (error instanceof LorikeetError) throw error;
    if (error instanceof Damage && error.advice !== undefined) throw fault(`The file cannot be read: ${error.message}.`, error.advice, error);
    throw fault(`The footer of the file is damaged: ${(error as Error).message}.`, AGAIN, error);
  }
}

function understood(metadata: FileMetaData, end: number): Footer {
  expectBetween(metadata.schema.length, 1, MAX_COLUMNS * 4, 'the number of its columns');
  if (metadata.schema.some(({ name }) => name === '__proto__')) throw new Damage('a column is called "__proto__"', 'Rename the column.');
  const tree = parquetSchema(metadata);
  if (tree.count !== metadata.schema.length) throw new Damage('its list of columns is longer than it says');
  const leaves = leavesOf([tree]);
  const groups = metadata.row_groups.map((group) => {
    const chunks = group.columns.map((column, i) => chunkOf(column, leaves[i], end));
    if (chunks.length !== leaves.length) throw new Damage(`a row group has ${chunks.length} columns of ${leaves.length}`);
    return { rows: Number(group.num_rows), chunks };
  });
  const rows = groups.reduce((sum, group) => sum + expectBetween(group.rows, 0, MAX_ROWS, 'the number of rows of a group'), 0);
  if (rows > MAX_ROWS) throw new Damage(`it has ${rows} rows, at most ${MAX_ROWS} are read`, 'Split it into several files.');
  if (rows !== Number(metadata.num_rows)) throw new Damage(`it says that it has ${metadata.num_rows} rows, and its row groups have ${rows}`);
  return { columns: tree.children, groups, rows, classes: classesOf(metadata) };
}

function leavesOf(path: readonly SchemaTree[]): Leaf[] {
  const node = path[path.length - 1];
  const { element, children } = node;
  if (children.length > 0) return children.flatMap((child) => leavesOf([...path, child]));
  if (element.type === undefined || path.length < 2) throw new Damage(`the column "${node.path.join('.')}" holds nothing`);
  const below = path.slice(1).map((part) => part.element.repetition_type);
  return [
    {
      name: node.path.join('.'),
      path,
      binary: element.type === 'BYTE_ARRAY' && element.converted_type === undefined && element.logical_type === undefined,
      maxRepetition: below.filter((repetition) => repetition === 'REPEATED').length,
      maxDefinition: below.filter((repetition) => repetition !== 'REQUIRED').length,
    },
  ];
}

function chunkOf({ file_path: elsewhere, meta_data: data, crypto_metadata: key }: FileMetaData['row_groups'][number]['columns'][number], leaf: Leaf | undefined, fileEnd: number): Chunk {
  if (!leaf) throw new Damage('a row group has more columns than there are');
  if (key !== undefined || !data) throw new Damage(`the column "${leaf.name}" is encrypted`, 'Write the file again without encryption.');
  if (elsewhere) throw new Damage(`the column "${leaf.name}" lies in another file`, 'Write the dataset again, all columns in one file.');
  if (data.path_in_schema.join('.') !== leaf.name || data.type !== leaf.path.at(-1)!.element.type) throw new Damage(`the column "${leaf.name}" is called "${data.path_in_schema.join('.')}" in a row group`);
  const dictionary = Number(data.dictionary_page_offset ?? 0);
  const first = Number(data.data_page_offset);
  const start = dictionary > 0 && dictionary < first ? dictionary : first;
  const end = start + Number(data.total_compressed_size);
  if (!(start >= 4 && end >= start && end <= fileEnd)) throw new Damage(`the column "${leaf.name}" reaches from byte ${start} to ${end} of ${fileEnd}`);
  try {
    checkCodec(data.codec);
  } catch (error) {
    throw error instanceof Damage ? new Damage(`column "${leaf.name}": ${error.message}`, error.advice) : error;
  }
  return { leaf, codec: data.codec, values: expectBetween(Number(data.num_values), 0, MAX_VALUES, `the number of values of the column "${leaf.name}"`), start, end };
}

/** What `datasets` writes beside Arrow's schema; a note that cannot be read says nothing. */
function classesOf({ key_value_metadata: notes }: FileMetaData): Map<string, readonly string[]> {
  const classes = new Map<string, readonly string[]>();
  const note = notes?.find(({ key }) => key === 'huggingface')?.value;
  if (!note) return classes;
  let features: unknown;
  try {
    features = (JSON.parse(note) as { info?: { features?: unknown } } | null)?.info?.features;
  } catch {
    return classes;
  }
  for (const [name, feature] of Object.entries(isPlainObject(features) ? features : {})) noteClasses(feature, name, 0, classes);
  return classes;
}

const MAX_DEPTH = 8;

/** Class names of a feature and of all that lies within it. */
function noteClasses(feature: unknown, name: string, depth: number, classes: Map<string, readonly string[]>): void {
  if (depth > MAX_DEPTH) return;
  if (Array.isArray(feature)) return noteClasses(feature[0], name, depth + 1, classes);
  if (!isPlainObject(feature)) return;
  if (feature._type === 'ClassLabel' && Array.isArray(feature.names)) classes.set(name, feature.names.map(String));
  else if (typeof feature._type !== 'string') for (const [key, inner] of Object.entries(feature)) noteClasses(inner, `${name}.${key}`, depth + 1, classes);
  else if (feature.feature !== undefined) noteClasses(feature.feature, name, depth + 1, classes);
}
