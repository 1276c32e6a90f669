/** Reads training logs and keeps them, away from the page's thread. */
import { importedHead } from '../src/imports/imported-head.ts';
import type { LogNews, OpenedRun, ReadLogs } from '../src/imports/messages.ts';
import { openLogs } from '../src/imports/open-logs.ts';
import { LorikeetError } from '../src/protocol/errors.ts';
import { buffersOf } from '../src/reports/packed-run.ts';
import { saveImported } from '../src/storage/imported-logs.ts';

const post = (news: LogNews, transfer: ArrayBuffer[] = []) => self.postMessage(news, { transfer });

self.addEventListener('message', (event: MessageEvent<ReadLogs>) => {
  const { id, name, files } = event.data;
  const fault = (error: unknown) => post({ kind: 'fault', id, error: LorikeetError.from(error).toRecord() });
  const keep = async (opened: OpenedRun) => {
    const head = importedHead(opened);
    // A log that cannot be kept stays open until the page is closed.
    await saveImported(head, opened.run, opened.predictions).catch(fault);
    post({ kind: 'run', id, head, opened }, buffersOf(opened.run));
  };
  const keeping: Promise<void>[] = [];
  openLogs(files, name, { run: (opened) => void keeping.push(keep(opened)), fault })
    .then(() => Promise.all(keeping))
    .catch(fault)
    .finally(() => post({ kind: 'done', id }));
});
