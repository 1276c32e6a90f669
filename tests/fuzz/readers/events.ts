/** TensorBoard event files: bytes of all kinds changed, and messages changed inside frames whose checksums are right. */
import { maskedCrc32c } from '../../../src/reports/crc32c.ts';
import { readEventFile } from '../../../src/reports/event-file.ts';
import { eventFile } from '../../../src/reports/event-writer.ts';
import { packRun } from '../../../src/reports/packed-run.ts';
import { joined, mutateBytes } from '../mutate/bytes.ts';
import { NASTY_STRINGS } from '../mutate/nasty.ts';
import type { FuzzReader } from '../reader.ts';

/** The record of a message. */
function framed(data: Uint8Array): Uint8Array<ArrayBuffer> {
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, BigInt(data.length), true);
  const sum = (bytes: Uint8Array) => new Uint8Array(Uint32Array.of(maskedCrc32c(bytes)).buffer);
  return joined(length, sum(length), data, sum(data));
}

/** The messages of a file that is whole. */
function messagesOf(file: Uint8Array): Uint8Array[] {
  const messages: Uint8Array[] = [];
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  for (let at = 0; at < file.length; ) {
    const length = Number(view.getBigUint64(at, true));
    messages.push(file.subarray(at + 12, at + 12 + length));
    at += length + 16;
  }
  return messages;
}

export const eventReader: FuzzReader = {
  name: 'events',
  share: 4,
  prepare: async () => {
    const rows = [0, 1, 2, 70_000].map((step) => ({ step, loss: 2 / (step + 1), 'rewards/x': step, time: '2026-11-27T10:00:00.000Z' }));
    const plain = eventFile({ train: rows, validation: [{ step: 2, eval_loss: 1, val_reward: 0.5 }] });
    readEventFile(plain, 'example');
    return async (random) => {
      const named = random.chance(0.2) ? eventFile({ train: [{ step: 1, [random.pick(NASTY_STRINGS).slice(0, 300)]: 1 }, ...rows], validation: [] }) : plain;
      const bytes = random.chance(0.4) ? mutateBytes(random, named) : joined(...messagesOf(named).map((message) => framed(random.chance(0.5) ? mutateBytes(random, message) : message)));
      const run = readEventFile(bytes, 'events.out.tfevents.1.x');
      packRun(run);
      for (const row of [...run.train, ...run.validation]) {
        if (!(row.step >= 0) || Object.values(row).some((value) => typeof value === 'number' && !Number.isFinite(value))) return `wrong: a row at step ${row.step} that is not finite`;
      }
      return run.notes.length > 0 ? 'told' : 'read';
    };
  },
};
