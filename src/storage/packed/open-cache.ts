/** Finds packed weights of a model, or gets ready to keep them. */
import type { ModelFiles } from '../../checkpoint/model-files.ts';
import type { WeightCache } from '../../quantization/weight-cache.ts';
import type { KeptWeights } from '../../protocol/messages.ts';
import { isQuotaError } from '../database.ts';
import { takeLock } from '../locks.ts';
import { PackedReader } from './reader.ts';
import { finishPacked, LAYOUT, packedFolder, packedKey, readPacked, WEIGHTS_LOCK, type PackedForm } from './record.ts';
import { keepSource } from './source.ts';
import { PackedWriter } from './writer.ts';

/** Models below this are packed faster than they are found again. */
const LEAST_BYTES = 64 * 2 ** 20;
/** Room left for logs and checkpoints. */
const RESERVE_BYTES = 256 * 2 ** 20;

export interface OpenedCache {
  cache: WeightCache | null;
  /** Call when the model is loaded. @returns what became of its packed weights */
  finish(): Promise<KeptWeights>;
  /** Call when it could not be loaded. */
  abandon(): Promise<void>;
}

export interface CachedModel {
  name: string;
  fingerprint: string;
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
    return model.files.fileBytes < (model.leastBytes ?? LEAST_BYTES) ? without('small') : await open(model);
  } catch {
    return without('refused');
  }
}

async function open({ name, fingerprint, files, form, bytes }: CachedModel): Promise<OpenedCache> {
  const key = await packedKey(fingerprint, form);
  const kept = await readPacked(key);
  if (kept) {
    let damaged = false;
    const remove = async () => void (await (await packedFolder()).removeEntry(key, { recursive: true }).catch(() => undefined));
    return {
      cache: new PackedReader(kept.folder, kept.record, () => (damaged = true)),
      finish: async () => {
        if (damaged) await remove();
        return damaged ? 'damaged' : 'read';
      },
      abandon: async () => (damaged ? remove() : undefined),
    };
  }
  const { quota = Infinity, usage = 0 } = await navigator.storage.estimate();
  if (bytes + RESERVE_BYTES > quota - usage) return without('no-room');
  const release = await takeLock(WEIGHTS_LOCK + key, () => new Error('another tab writes them'));
  const writer = await PackedWriter.begin(key).catch(async (error: unknown) => {
    await release();
    throw error;
  });
  return {
    cache: writer,
    finish: async () => {
      try {
        if (!writer.failure) {
          await writer.close();
          const lists = await keepSource(writer.folder, files);
          await finishPacked(writer.folder, { layout: LAYOUT, fingerprint, name, form, advice: files.architecture.quantizationAdvice, parts: writer.parts, ...lists, madeAt: new Date().toISOString() });
        }
      } catch (error) {
        await writer.abandon(error);
      } finally {
        await release();
      }
      return writer.failure ? (isQuotaError(writer.failure) ? 'no-room' : 'refused') : 'written';
    },
    abandon: async () => {
      await writer.abandon(new Error('the model could not be loaded'));
      await release();
    },
  };
}

function without(why: KeptWeights): OpenedCache {
  return { cache: null, finish: async () => why, abandon: async () => undefined };
}
