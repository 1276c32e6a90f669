/**
 * Reads files in a worker where there are any: the bytes of a read are copied, and hashed, in the thread that asks for them, which
 * would do nothing else meanwhile.
 */
import { AskedWorker } from './asked-worker.ts';
import type { FromFiles, ToFiles } from './file-messages.ts';
import { fingerprintBlob } from './fingerprint.ts';

/** Less is read sooner than asked for. */
const LEAST_BYTES = 64 * 2 ** 10;

const openWorker = () => new AskedWorker<ToFiles, FromFiles>(new Worker(new URL('../../workers/files.worker.ts', import.meta.url), { type: 'module', name: 'files' }));

/**
 * As fingerprintBlob.
 * @throws DOMException when the file cannot be read
 */
export async function fingerprintFile(blob: Blob): Promise<string> {
  if (typeof Worker === 'undefined') return fingerprintBlob(blob);
  const worker = openWorker();
  try {
    return (await worker.ask('print', { kind: 'print', blob })).print;
  } finally {
    worker.terminate();
  }
}

/** Reads slices of files. */
export class FileWorker {
  private worker: AskedWorker<ToFiles, FromFiles> | null = null;

  /** @throws DOMException when the file cannot be read */
  readonly read = async (blob: Blob): Promise<ArrayBuffer> => {
    if (typeof Worker === 'undefined' || blob.size < LEAST_BYTES) return blob.arrayBuffer();
    this.worker ??= openWorker();
    return (await this.worker.ask('read', { kind: 'read', blob })).bytes;
  };

  /** Ends the worker; nothing may be under way. The next read begins another. */
  rest(): void {
    this.worker?.terminate();
    this.worker = null;
  }
}
