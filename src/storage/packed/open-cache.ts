/** Finds packed weights of a model, or gets ready to keep them. */
import type { ModelFiles } from '../../checkpoint/model-files.ts';
import type { WeightCache } from '../../quantization/weight-cache.ts';
import type { KeptWeights } from '../../protocol/messages.ts';
import { isQuotaError } from '../database.ts';
import { takeLock } from '../locks.ts';
import type { ModelPrint } from '../sources.ts';
import { openParts } from './part-worker.ts';
import { PackedReader } from './reader.ts';
import { findPacked, finishPacked, LAYOUT, packedFolder, packedKey, WEIGHTS_LOCK, type PackedForm, type PackedRecord } from './record.ts';
import { keepSource } from './source.ts';
import { PackedWriter } from './writer.ts';

/** Models below this are packed faster than they are found again. */
const LEAST_BYTES = 64 * 2 ** 20;
/** Room left for logs and checkpoints. */
const RESERVE_BYTES = 256 * 2 ** 20;

/** What became, or will become, of a model's packed weights. */
export interface Finished {
  now: KeptWeights;
  /** The same once nothing is under way any more; never rejects. */
  settled: Promise<KeptWeights>;
}

export interface OpenedCache {
  cache: WeightCache | null;
  /** Call when the model is loaded. */
  finish(): Promise<Finished>;
  /** Call when it could not be loaded. */
  abandon(): Promise<void>;
}

export interface CachedModel {
  name: string;
  print: ModelPrint;
  files: ModelFiles;
  form: PackedForm;
  /** Bytes of the packed weights, about. */
  bytes: number;
  /** Smaller models are not kept; for tests. */
  leastBytes?: number;
}

/** Never throws: without storage, room or lock a model is loaded as if nothing could be kept. */
export async function openWeightCache(model: CachedModel): Promise<OpenedCache> {
  try {
    if (model.files.fileBytes < (model.leastBytes ?? LEAST_BYTES)) return without('small');
    const kept = model.print.known === null ? null : await findPacked(model.print.known, model.form);
    return kept ? reading(kept) : await writing(model);
  } catch {
    return without('refused');
  }
}

function reading({ folder, record }: { folder: FileSystemDirectoryHandle; record: PackedRecord }): OpenedCache {
  let damaged = false;
  const cache = new PackedReader(openParts(folder), record, () => (damaged = true));
  const end = async () => {
    await cache.close().catch(() => undefined);
    if (damaged) await (await packedFolder()).removeEntry(folder.name, { recursive: true }).catch(() => undefined);
  };
  return {
    cache,
    finish: async () => {
      await end();
      return settled(damaged ? 'damaged' : 'read');
    },
    abandon: end,
  };
}

async function writing({ name, print, files, form, bytes }: CachedModel): Promise<OpenedCache> {
  const key = await packedKey(print.known ?? `provisional ${print.provisional}`, form);
  const { quota = Infinity, usage = 0 } = await navigator.storage.estimate();
  if (bytes + RESERVE_BYTES > quota - usage) return without('no-room');
  const release = await takeLock(WEIGHTS_LOCK + key, () => new Error('another tab writes them'));
  const writer = await PackedWriter.begin(key).catch(async (error: unknown) => {
    await release();
    throw error;
  });

  const complete = async (): Promise<KeptWeights> => {
    try {
      const parts = await writer.close();
      const lists = await keepSource(writer.folder, files);
      const fingerprint = await print.whole();
      // The same model may have been kept by way of another folder.
      if (await findPacked(fingerprint, form)) await writer.abandon(new Error('kept already'));
      else await finishPacked(writer.folder, { layout: LAYOUT, fingerprint, name, form, advice: files.architecture.quantizationAdvice, parts, ...lists, madeAt: new Date().toISOString() });
      return 'written';
    } catch (error) {
      await writer.abandon(error);
      return isQuotaError(writer.failure) ? 'no-room' : 'refused';
    } finally {
      await release();
    }
  };
  return {
    cache: writer,
    finish: async () => {
      const completed = complete();
      // Files that were never read as a whole take longer than their weights did: nobody has to wait for that.
      return print.known === null ? { now: 'writing', settled: completed } : settled(await completed);
    },
    abandon: async () => {
      await writer.abandon(new Error('the model could not be loaded'));
      await release();
    },
  };
}

const settled = (now: KeptWeights): Finished => ({ now, settled: Promise.resolve(now) });

function without(why: KeptWeights): OpenedCache {
  return { cache: null, finish: async () => settled(why), abandon: async () => undefined };
}
