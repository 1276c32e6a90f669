/// <reference lib="webworker" />
/** Reads the user's files beside who needs them. */
import type { FromFiles, ToFiles } from '../src/storage/file-messages.ts';
import { fingerprintBlob } from '../src/storage/fingerprint.ts';

const scope = self as unknown as DedicatedWorkerGlobalScope;
const send = (reply: FromFiles, transfer: Transferable[] = []) => scope.postMessage(reply, transfer);

async function answer({ id, kind, blob }: ToFiles): Promise<void> {
  try {
    if (kind === 'print') return send({ id, kind: 'print', print: await fingerprintBlob(blob) });
    const bytes = await blob.arrayBuffer();
    send({ id, kind: 'read', bytes }, [bytes]);
  } catch (error) {
    const { name, message } = error as Error;
    send({ id, kind: 'failed', name, message });
  }
}

scope.onmessage = ({ data }: MessageEvent<ToFiles>) => void answer(data);
