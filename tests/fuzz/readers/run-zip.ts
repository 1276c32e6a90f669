/** Archives of exported runs: bytes, the list of files, and files whose content is wrong though their checksums fit. */
import { unzipSync, zipSync } from 'fflate';
import { commit, readKeys } from '../../../src/storage/database.ts';
import { readRunFiles } from '../../../src/storage/export-run.ts';
import { importRun } from '../../../src/storage/import-run.ts';
import { everythingOf } from '../../../src/storage/records.ts';
import { listRuns, readLog } from '../../../src/storage/runs.ts';
import { pretendDisk } from '../../unit/storage/pretend-disk.ts';
import { pack, storeGrpo, storeSft, withFile, type Files } from '../../unit/storage/exported-runs.ts';
import { blobOf, decode, encode } from '../examples.ts';
import { mutateBytes } from '../mutate/bytes.ts';
import { mutateJson } from '../mutate/json.ts';
import type { Random } from '../../../tools/random.ts';
import type { FuzzReader, Outcome } from '../reader.ts';

const MANIFEST = 'lorikeet_run.json';
const everyKey = () => readKeys(IDBKeyRange.bound([], [[]]));

async function inputOf(random: Random, archive: Uint8Array, files: Files): Promise<Uint8Array<ArrayBuffer>> {
  switch (random.below(3)) {
    case 0:
      return mutateBytes(random, archive);
    case 1:
      return Uint8Array.from(zipSync({ ...files, [MANIFEST]: encode(mutateJson(random, JSON.parse(decode(files[MANIFEST])))) }));
    default: {
      const path = random.pick(Object.keys(files).filter((name) => name !== MANIFEST && !name.includes('/')));
      return Uint8Array.from(zipSync(await withFile(files, path, contentOf(random, path, files[path]))));
    }
  }
}

function contentOf(random: Random, path: string, old: Uint8Array): Uint8Array | string {
  if (path.endsWith('.json')) return mutateJson(random, JSON.parse(decode(old)));
  if (!path.endsWith('.jsonl')) return mutateBytes(random, old);
  const lines = decode(old).trimEnd().split('\n');
  const at = random.below(lines.length);
  return `${lines.map((line, i) => (i === at ? mutateJson(random, JSON.parse(line)) : line)).join('\n')}\n`;
}

/** The run is listed, read and exported again, or nothing of it is left. */
async function importAndLook(content: Uint8Array<ArrayBuffer>): Promise<Outcome> {
  try {
    const { id } = await importRun({ path: 'run.zip', file: blobOf(content) });
    if (!(await listRuns()).some((run) => run.id === id)) return 'wrong: imported but not listed';
    await readLog(id);
    await readRunFiles(id);
    await commit({ remove: everythingOf(id) });
    return 'read';
  } finally {
    const left = await everyKey();
    if (left.length > 0) await commit({ remove: left });
  }
}

export const runZipReader: FuzzReader = {
  name: 'run-zip',
  share: 1,
  prepare: async () => {
    pretendDisk();
    const examples: { archive: Uint8Array; files: Files }[] = [];
    for (const [id, store] of [['sft', storeSft], ['grpo', storeGrpo]] as const) {
      await store(id);
      const archive = new Uint8Array(await (await pack(id)).arrayBuffer());
      examples.push({ archive, files: unzipSync(archive) });
      await commit({ remove: everythingOf(id) });
    }
    return async (random) => {
      const { archive, files } = random.pick(examples);
      return importAndLook(await inputOf(random, archive, files));
    };
  },
};
