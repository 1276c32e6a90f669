/** Archives of datasets, stored and packed: an entry comes out as it was put in, or its loss is told. */
import { zipSync } from 'fflate';
import { crc32 } from '../../../src/processing/crc32.ts';
import { bytesOf as bytesOfEntry } from '../../../src/processing/archived-file.ts';
import { LorikeetError } from '../../../src/protocol/errors.ts';
import { sortByKind } from '../../../src/data/file-tree.ts';
import { ProblemList } from '../../../src/data/problems.ts';
import { blobOf, bytesOf, encode, jsonOf } from '../examples.ts';
import { mutateBytes } from '../mutate/bytes.ts';
import type { FuzzReader } from '../reader.ts';

export const datasetZipReader: FuzzReader = {
  name: 'dataset-zip',
  share: 5,
  prepare: async () => {
    const records = (jsonOf('public/demo/data/sft_train.json') as unknown[]).slice(0, 3);
    const content: Record<string, Uint8Array> = { 'd/train.json': encode(JSON.stringify(records)), 'd/images/000001.png': bytesOf('public/demo/data/images/000001.png'), 'd/val.jsonl': encode(JSON.stringify(records[0])) };
    const sums = new Map(Object.entries(content).map(([path, bytes]) => [`a.zip/${path}`, crc32(bytes)]));
    const examples = ([0, 6] as const).map((level) => zipSync(content, { level }));
    return async (random) => {
      const example = random.pick(examples);
      const problems = new ProblemList();
      const { records, media } = await sortByKind([{ path: 'a.zip', file: blobOf(mutateBytes(random, example, random.chance(0.5) ? example.length - 400 : 0)) }], problems);
      const found = new Map([...records, ...media].map(({ path, file }) => [path, file]));
      for (const [path, file] of found) {
        const sum = sums.get(path);
        if (sum === undefined) continue;
        // Pictures are unpacked and compared when they are read.
        const bytes = await unlessRefused(bytesOfEntry(file, path));
        if (bytes && crc32(bytes) !== sum) return `wrong: ${path} came out changed`;
      }
      const lost = [...sums.keys()].filter((path) => !found.has(path));
      if (lost.length > 0 && problems.count === 0 && found.size < sums.size) return `wrong: ${lost.join()} lost without a word`;
      return problems.count > 0 ? 'told' : 'read';
    };
  },
};

async function unlessRefused(reading: Promise<Uint8Array>): Promise<Uint8Array | null> {
  try {
    return await reading;
  } catch (error) {
    if (error instanceof LorikeetError) return null;
    throw error;
  }
}
