/** TensorBoard event files: checksums, what is written and read, and files that are damaged. */
import { describe, expect, it } from 'vitest';
import { openLogs } from '../../../src/imports/open-logs.ts';
import type { OpenedRun } from '../../../src/imports/messages.ts';
import { crc32c, maskedCrc32c } from '../../../src/reports/crc32c.ts';
import { isEventFile, readEventFile } from '../../../src/reports/event-file.ts';
import { eventFile, eventFileName } from '../../../src/reports/event-writer.ts';

const ascii = (text: string) => new TextEncoder().encode(text);
const log = {
  train: [
    { step: 1, epoch: 0.5, loss: 2, grad_norm: Number.NaN, time: '2026-11-27T10:00:00.000Z' },
    { step: 2, epoch: 1, loss: 1.5, grad_norm: 3, time: '2026-11-27T10:00:01.000Z' },
  ],
  validation: [{ step: 2, eval_loss: 1.25, val_reward: 0.5, note: 'text', time: '2026-11-27T10:00:02.000Z' }],
};

describe('CRC-32C', () => {
  it('has the values of RFC 3720, appendix B.4', () => {
    expect(crc32c(ascii('123456789'))).toBe(0xe3069283);
    expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
    expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43);
  });

  it('is masked as TFRecord files have it', () => {
    // Of the eight bytes of length 24, as every event file of TensorFlow begins.
    expect(maskedCrc32c(Uint8Array.from([24, 0, 0, 0, 0, 0, 0, 0]))).toBe(0x224b7fa3);
  });
});

describe('an event file', () => {
  const bytes = eventFile(log);

  it('begins as TensorBoard’s do', () => {
    expect([...bytes.subarray(0, 12)]).toEqual([24, 0, 0, 0, 0, 0, 0, 0, 0xa3, 0x7f, 0x4b, 0x22]);
    expect(new TextDecoder().decode(bytes.subarray(23, 36))).toBe('brain.Event:2');
    expect(isEventFile(`runs/${eventFileName('2026-11-27T10:00:00.000Z')}`)).toBe(true);
  });

  it('comes back as the rows that went in, without what is no number', () => {
    const run = readEventFile(bytes, 'events');
    expect(run.train.map((row) => ({ ...row }))).toEqual([{ step: 1, epoch: 0.5, loss: 2 }, { step: 2, epoch: 1, loss: 1.5, grad_norm: 3 }]);
    expect(run.validation.map((row) => ({ ...row }))).toEqual([{ step: 2, eval_loss: 1.25, val_reward: 0.5 }]);
    expect(run.notes).toEqual([]);
  });

  it('is read up to where it is damaged', () => {
    const cut = readEventFile(bytes.subarray(0, bytes.length - 3), 'events');
    expect(cut.validation).toEqual([]);
    expect(cut.train).toHaveLength(2);
    expect(cut.notes[0].message).toMatch(/breaks off at byte \d+: the file ends inside a record/);
    const flipped = bytes.slice();
    flipped[flipped.length - 20] ^= 1;
    expect(readEventFile(flipped, 'events').notes[0].message).toMatch(/the checksum of a record is wrong/);
  });

  it.each([['nothing', new Uint8Array(0)], ['text', ascii('train/loss 1 2 3 and so on')], ['an enormous length', Uint8Array.from([255, 255, 255, 255, 255, 255, 255, 127, 0, 0, 0, 0, 0, 0, 0, 0, 0])]])('is not %s', (_, other) => {
    expect(() => readEventFile(other, 'events')).toThrow(/no TensorBoard event file/);
  });

  it('stays where its event puts it, whatever a scalar is called', () => {
    const odd = readEventFile(eventFile({ train: [{ step: 3, 'a/b': 1, ['__proto__']: 2 }], validation: [] }), 'events');
    expect(odd.train.map(({ step }) => step)).toEqual([3]);
    expect(Object.hasOwn(Object.prototype, 'a/b')).toBe(false);
  });

  it('without a scalar says so', () => {
    expect(() => readEventFile(eventFile({ train: [], validation: [] }), 'events')).toThrow(/holds no scalar/);
  });
});

describe('event files among dropped files', () => {
  async function open(files: Record<string, Uint8Array<ArrayBuffer> | string>, chosen: string) {
    const runs: OpenedRun[] = [];
    const faults: string[] = [];
    await openLogs(Object.entries(files).map(([path, content]) => ({ path, file: new Blob([content]) })), chosen, { run: (run) => void runs.push(run), fault: (error) => void faults.push(error.message) });
    return { runs, faults };
  }
  const first = eventFile({ train: log.train.slice(0, 1), validation: [] });
  const second = eventFile({ train: log.train.slice(1), validation: [] });

  it('of one folder are one run', async () => {
    const { runs, faults } = await open({ 'out/events.out.tfevents.1.host': first, 'out/events.out.tfevents.2.host': second }, 'out');
    expect(faults).toEqual([]);
    expect(runs).toHaveLength(1);
    expect(runs[0].lastStep).toBe(2);
    expect(runs[0].run.dialect).toBe('tensorboard');
  });

  it('stand back behind a log in their folder, and are read alone where there is none', async () => {
    const json = JSON.stringify({ train_history: [{ step: 9, loss: 1 }], val_history: [], environment: {} });
    const { runs } = await open({ 'a/training_log.json': json, 'a/events.out.tfevents.1.host': first, 'b/events.out.tfevents.1.host': second }, 'top');
    expect(runs.map(({ run, lastStep }) => [run.dialect, lastStep])).toEqual([['lorikeet', 9], ['tensorboard', 2]]);
    expect((await open({ 'events.out.tfevents.1.host': first }, 'events.out.tfevents.1.host')).runs).toHaveLength(1);
  });
});
