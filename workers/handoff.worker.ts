/// <reference lib="webworker" />
/** Packs a run for a cluster away from the page's thread and from the trainer. */
import { LorikeetError } from '../src/protocol/errors.ts';
import type { FromHandoffWorker, ToHandoffWorker } from '../src/protocol/handoff-messages.ts';
import { packHandoff } from '../src/session/handoff.ts';

const scope = self as unknown as DedicatedWorkerGlobalScope;
const send = (message: FromHandoffWorker) => scope.postMessage(message);
const demoUrl = new URL('../demo/', scope.location.href).href;
const cancelling = new AbortController();
/** Milliseconds between two reports. */
const PACE = 200;
let lastReport = 0;

function onProgress(done: number, total: number): void {
  const now = performance.now();
  if (now - lastReport < PACE && done < total) return;
  lastReport = now;
  send({ kind: 'progress', done, total });
}

scope.onmessage = ({ data }: MessageEvent<ToHandoffWorker>) => {
  if (data.kind === 'cancel') return cancelling.abort(new DOMException('Cancelled.', 'AbortError'));
  packHandoff(data, demoUrl, { signal: cancelling.signal, onProgress }).then(send, (error: unknown) => {
    send(cancelling.signal.aborted ? { kind: 'cancelled' } : { kind: 'failed', error: LorikeetError.from(error).toRecord() });
  });
};
