/**
 * Parquet files as Hugging Face's `datasets`, pandas and others write them -> records and the pictures in them.
 *
 * Row group by row group and page by page: the file is never in memory as a whole. Texts become records; of pictures
 * only the place in the file is kept, unless they are packed so that the file does not hold them as they are.
 */
import type { SchemaTree } from 'hyparquet';
import { assembleNested } from 'hyparquet/src/assemble.js';
import { DEFAULT_PARSERS } from 'hyparquet/src/convert.js';
import { isFileGone, LorikeetError } from '../../protocol/errors.ts';
import type { PathFile } from '../../protocol/messages.ts';
import { readChosen } from '../chosen-file.ts';
import { resting } from '../resting.ts';
import { Damage } from './damage.ts';
import { type Footer, readFooter } from './footer.ts';
import { readLeaf } from './read-leaf.ts';
import { rowOf } from './row-values.ts';

export interface ParquetRows {
  records: { value: Record<string, unknown>; /** Number of the row in the file, from 1. */ sample: number }[];
  /** Pictures and clips of the rows, under the names that the records give them. */
  media: PathFile[];
  /** Rows of groups that could not be read. */
  broken: number;
  /** One for every such group. */
  faults: LorikeetError[];
}

export interface ParquetLimits {
  /** Unpacked bytes of everything but pictures and clips. */
  textBytes: number;
  /** Bytes of pictures and clips that have to be held in memory, since the file has them only packed. */
  heldBytes: number;
}

export const PARQUET_LIMITS: ParquetLimits = { textBytes: 512 * 2 ** 20, heldBytes: 2 ** 30 };

/**
 * @param head so many rows at most
 * @throws LorikeetError "dataset" naming the file: no parquet, cut off, encrypted, a codec that is not read, too much for
 * the memory; "file-missing" when it is no longer there
 */
export function readParquet({ path, file }: PathFile, head = Infinity, limits: ParquetLimits = PARQUET_LIMITS): Promise<ParquetRows> {
  return readChosen(path, async () => {
    const footer = await readFooter(path, file);
    const reader = new Reader(path, file, footer, limits);
    for (let group = 0; group < footer.groups.length && reader.before < head; group++) await reader.readGroup(group, head - reader.before);
    return reader.result;
  });
}

class Reader {
  readonly result: ParquetRows = { records: [], media: [], broken: 0, faults: [] };
  /** Rows of the groups that have been read. */
  before = 0;
  private textBytes = 0;
  private heldBytes = 0;
  private readonly rest = resting();

  constructor(
    private readonly path: string,
    private readonly file: Blob,
    private readonly footer: Footer,
    private readonly limits: ParquetLimits,
  ) {}

  /** A group that cannot be read is lost as a whole, and named. */
  async readGroup(group: number, head: number): Promise<void> {
    const { rows } = this.footer.groups[group];
    const wanted = Math.min(rows, head);
    try {
      const columns = wanted === 0 ? {} : await this.columnsOf(group, wanted);
      for (let row = 0; row < wanted; row++) {
        const due = this.rest();
        if (due) await due;
        const sample = this.before + row + 1;
        const { value, media } = rowOf(Object.fromEntries(Object.entries(columns).map(([name, values]) => [name, values[row]])), `${this.path}/row-${sample}`, this.footer.classes);
        this.result.records.push({ value, sample });
        this.result.media.push(...media);
      }
    } catch (error) {
      if (!(error instanceof GroupFault)) throw error;
      this.result.broken += wanted;
      this.result.faults.push(error.told);
    }
    this.before += rows;
  }

  private async columnsOf(group: number, wanted: number): Promise<Record<string, unknown[]>> {
    const { chunks, rows } = this.footer.groups[group];
    const columns: Record<string, unknown[]> = {};
    for (const column of this.footer.columns) {
      const leaves = new Map<string, unknown[]>();
      for (const chunk of chunks.filter(({ leaf }) => leaf.path[1] === column)) {
        leaves.set(chunk.leaf.name, await this.understand(group, chunk.leaf.name, () => this.rowsOf(chunk, wanted, rows)));
      }
      columns[column.element.name] = await this.understand(group, column.path.join('.'), async () => assembled(column, leaves, wanted));
    }
    return columns;
  }

  private async rowsOf(chunk: Footer['groups'][number]['chunks'][number], wanted: number, rows: number): Promise<unknown[]> {
    const { rows: found, unpacked, held } = await readLeaf(this.file, chunk, wanted, this.rest);
    const [textBytes, heldBytes] = [(this.textBytes += unpacked), (this.heldBytes += held)];
    if (textBytes > this.limits.textBytes) throw this.tooMuch(`Its texts and numbers have more than ${megabytes(this.limits.textBytes)} MiB unpacked.`, 'Split the file into several.');
    if (heldBytes > this.limits.heldBytes) throw this.tooMuch(`Its pictures have more than ${megabytes(this.limits.heldBytes)} MiB unpacked, and are packed with ${chunk.codec}: they would have to be kept in memory.`, 'Write the file again with Snappy or without compression: then pictures stay in the file.');
    if (found.length < wanted || (wanted === rows && found.length !== rows)) throw new Damage(`it has ${found.length} rows, its row group ${rows}`);
    return found.length > wanted ? found.slice(0, wanted) : found;
  }

  private tooMuch(message: string, advice: string): LorikeetError {
    return new LorikeetError('dataset', message, advice, { file: this.path });
  }

  /** Whatever a decoder throws about a column is damage of the file. */
  private async understand<T>(group: number, column: string, read: () => Promise<T>): Promise<T> {
    try {
      return await read();
    } catch (error) {
      if (error instanceof LorikeetError || isFileGone(error)) throw error;
      const { rows } = this.footer.groups[group];
      const advice = (error instanceof Damage ? error.advice : undefined) ?? 'Download or write the file again; the other rows are kept.';
      const place = { file: this.path, sample: this.before + 1, field: column };
      throw new GroupFault(new LorikeetError('dataset', `Rows ${this.before + 1} to ${this.before + rows} cannot be read: column "${column}": ${(error as Error).message}.`, advice, place, { cause: error }));
    }
  }
}

class GroupFault extends Error {
  constructor(readonly told: LorikeetError) {
    super(told.message);
  }
}

function assembled(column: SchemaTree, leaves: Map<string, unknown[]>, wanted: number): unknown[] {
  if (column.children.length > 0) assembleNested(leaves as Parameters<typeof assembleNested>[0], column, DEFAULT_PARSERS);
  const rows = leaves.get(column.path.join('.'));
  if (rows?.length !== wanted) throw new Damage(`${rows?.length ?? 0} of ${wanted} rows could be put together`);
  return rows;
}

const megabytes = (bytes: number) => Math.round(bytes / 2 ** 20);
