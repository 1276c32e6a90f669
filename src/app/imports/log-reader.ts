/** The page's end of the log reader: a worker that lives only while it reads. */
import type { ImportedHead } from '../../imports/imported-head.ts';
import type { LogNews, OpenedRun, ReadLogs } from '../../imports/messages.ts';
import { LorikeetError, type ErrorRecord } from '../../protocol/errors.ts';
import type { PathFile } from '../../protocol/messages.ts';

export interface ReaderNews {
  /** One log, kept already; where it could not be, a fault came before. */
  run(head: ImportedHead, opened: OpenedRun): void;
  fault(error: ErrorRecord): void;
}

/** Reads logs in a worker of their own; resolves when all are read. A worker that dies is one more fault. */
export function readInWorker(files: readonly PathFile[], name: string, to: ReaderNews): Promise<void> {
  return new Promise((resolve) => {
    const worker = new Worker(new URL('../../../workers/log-reader.worker.ts', import.meta.url), { type: 'module', name: 'log-reader' });
    const end = () => {
      worker.terminate();
      resolve();
    };
    worker.addEventListener('message', ({ data }: MessageEvent<LogNews>) => {
      if (data.kind === 'run') to.run(data.head, data.opened);
      else if (data.kind === 'fault') to.fault(data.error);
      else end();
    });
    worker.addEventListener('error', (event) => {
      event.preventDefault();
      to.fault(new LorikeetError('file-too-large', `The reader stopped: ${event.message || 'it ran out of memory'}.`, 'Open fewer or smaller logs at once.').toRecord());
      end();
    });
    worker.postMessage({ id: 1, name, files: [...files] } satisfies ReadLogs);
  });
}
