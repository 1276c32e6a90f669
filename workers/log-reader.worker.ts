/** Reads training logs away from the page's thread. */
import type { LogNews, ReadLogs } from '../src/imports/messages.ts';
import { openLogs } from '../src/imports/open-logs.ts';
import { LorikeetError } from '../src/protocol/errors.ts';
import { buffersOf } from '../src/reports/packed-run.ts';

const post = (news: LogNews, transfer: ArrayBuffer[] = []) => self.postMessage(news, { transfer });

self.addEventListener('message', (event: MessageEvent<ReadLogs>) => {
  const { id, name, files } = event.data;
  openLogs(files, name, {
    run: (opened) => post({ kind: 'run', id, opened }, buffersOf(opened.run)),
    fault: (error) => post({ kind: 'fault', id, error: error.toRecord() }),
  })
    .catch((error: unknown) => post({ kind: 'fault', id, error: LorikeetError.from(error).toRecord() }))
    .finally(() => post({ kind: 'done', id }));
});
