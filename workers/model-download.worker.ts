/// <reference lib="webworker" />
/** Downloads one model into this site's storage, away from the page's thread and from the trainer. */
import type { FromDownloadWorker, ToDownloadWorker } from '../src/protocol/download-messages.ts';
import { LorikeetError } from '../src/protocol/errors.ts';
import { downloadModel } from '../src/storage/download-model.ts';

const scope = self as unknown as DedicatedWorkerGlobalScope;
const send = (message: FromDownloadWorker) => scope.postMessage(message);
const pausing = new AbortController();
/** Milliseconds between two reports. */
const PACE = 200;
let lastReport = 0;
let lastChecked: string | null = null;

scope.onmessage = ({ data }: MessageEvent<ToDownloadWorker>) => {
  if (data.kind === 'pause') return pausing.abort(new DOMException('Paused.', 'AbortError'));
  downloadModel(data.key, data.token, pausing.signal, ({ done, total, checking }) => {
    const now = performance.now();
    if (now - lastReport < PACE && done < total && checking === lastChecked) return;
    lastReport = now;
    lastChecked = checking;
    send({ kind: 'progress', done, total, checking });
  }).then(
    () => send({ kind: 'done' }),
    (error: unknown) => send(pausing.signal.aborted ? { kind: 'paused' } : { kind: 'failed', error: LorikeetError.from(error).toRecord() }),
  );
};
