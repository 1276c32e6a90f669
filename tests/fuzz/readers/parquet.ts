/** Parquet files: rows that come out and rows that are told as lost are the rows that went in. */
import { isPlainObject } from '../../../src/data/media-reference.ts';
import { type ParquetRows, readParquet } from '../../../src/data/parquet/read-parquet.ts';
import { blobOf, bytesOf } from '../examples.ts';
import { mutateBytes } from '../mutate/bytes.ts';
import type { FuzzReader, Outcome } from '../reader.ts';

const FOLDER = 'tests/fixtures/parquet';
const EXAMPLES = ['none', 'snappy', 'zstd', 'gzip', 'second-form', 'messages', 'preference', 'classes', 'turns-as-lists', 'unknown-columns', 'many-groups'];
/** Footers begin within these last bytes, and small pages too: changes are more often there than among pictures. */
const TAIL_BYTES = 4000;

export const parquetReader: FuzzReader = {
  name: 'parquet',
  share: 6,
  prepare: async () => {
    const examples = await Promise.all(EXAMPLES.map(async (name) => {
      const bytes = bytesOf(`${FOLDER}/${name}.parquet`);
      const { records, faults } = await readParquet({ path: 'a.parquet', file: blobOf(bytes) });
      if (faults.length > 0) throw new Error(`${name}: ${faults[0].message}`);
      return { bytes, rows: records.length };
    }));
    return async (random) => {
      const { bytes, rows } = random.pick(examples);
      const file = blobOf(mutateBytes(random, bytes, random.chance(0.5) ? Math.max(0, bytes.length - TAIL_BYTES) : 0));
      const head = random.chance(0.2) ? 1 + random.below(rows) : Infinity;
      return outcomeOf(await readParquet({ path: 'a.parquet', file }, head), Math.min(head, rows));
    };
  },
};

async function outcomeOf({ records, media, broken, faults }: ParquetRows, rows: number): Promise<Outcome> {
  if (records.length + broken !== rows) return `wrong: ${records.length} rows read and ${broken} lost of ${rows}`;
  if (broken > 0 && faults.length === 0) return `wrong: ${broken} rows lost without a word`;
  if (records.some(({ value }) => !isPlainObject(value) || Object.values(value).includes(undefined))) return 'wrong: a row with holes';
  for (const { path, file } of media) if ((await file.arrayBuffer()).byteLength !== file.size) return `wrong: ${path} is not as long as it says`;
  return faults.length > 0 ? 'told' : 'read';
}
