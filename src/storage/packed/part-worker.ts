/** Packed parts in the hands of a worker of their own. */
import { AskedWorker } from '../asked-worker.ts';
import type { FromParts, ToParts } from './part-messages.ts';
import { LocalParts, type PartPlace, type PartStore, type StoredPart } from './part-store.ts';

export class PartWorker implements PartStore {
  private readonly worker = new AskedWorker<ToParts, FromParts>(new Worker(new URL('../../../workers/packed-parts.worker.ts', import.meta.url), { type: 'module', name: 'packed-parts' }));

  constructor(folder: FileSystemDirectoryHandle) {
    // Where this fails, all that follows does.
    this.worker.ask('opened', { kind: 'open', folder }).catch(() => undefined);
  }

  async write(place: PartPlace, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    await this.worker.ask('written', { kind: 'write', place, bytes }, [bytes.buffer]);
  }

  async read(place: PartPlace): Promise<StoredPart> {
    return (await this.worker.ask('read', { kind: 'read', place })).part;
  }

  async sum(place: PartPlace): Promise<string> {
    return (await this.worker.ask('sum', { kind: 'sum', place })).sha256;
  }

  async close(): Promise<void> {
    await this.worker.ask('closed', { kind: 'close' }).finally(() => this.worker.terminate());
  }
}

/** In this thread where there are no workers. */
export function openParts(folder: FileSystemDirectoryHandle): PartStore {
  return typeof Worker === 'undefined' ? new LocalParts(folder) : new PartWorker(folder);
}
