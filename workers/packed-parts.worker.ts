/// <reference lib="webworker" />
/** Reads, writes and hashes packed weights beside the trainer, which quantises them and fills the GPU meanwhile. */
import type { FromParts, ToParts } from '../src/storage/packed/part-messages.ts';
import { LocalParts } from '../src/storage/packed/part-store.ts';

const scope = self as unknown as DedicatedWorkerGlobalScope;
const send = (reply: FromParts, transfer: Transferable[] = []) => scope.postMessage(reply, transfer);
let parts: LocalParts;

async function answer(message: ToParts): Promise<void> {
  const { id } = message;
  try {
    switch (message.kind) {
      case 'open':
        parts = new LocalParts(message.folder);
        return send({ id, kind: 'opened' });
      case 'write':
        await parts.write(message.place, message.bytes);
        return send({ id, kind: 'written' });
      case 'read': {
        const part = await parts.read(message.place);
        return send({ id, kind: 'read', part }, [part.bytes]);
      }
      case 'sum':
        return send({ id, kind: 'sum', sha256: await parts.sum(message.place) });
      case 'close':
        await parts.close();
        return send({ id, kind: 'closed' });
    }
  } catch (error) {
    const { name, message: text } = error as Error;
    send({ id, kind: 'failed', name, message: text });
  }
}

scope.onmessage = ({ data }: MessageEvent<ToParts>) => void answer(data);
