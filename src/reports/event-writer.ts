/** A run's scalars as a TensorBoard event file: TFRecords of Event messages. */
import { maskedCrc32c } from './crc32c.ts';

/** What the first event of every file says. */
export const FILE_VERSION = 'brain.Event:2';

/** The histories of a log, whoever's. */
export interface ScalarHistories {
  train: readonly Readonly<Record<string, unknown>>[];
  validation: readonly Readonly<Record<string, unknown>>[];
}

/** Keys of rows that place them, or that TensorBoard has an axis for. */
const PLACES = new Set(['step', 'time']);

/** Tag of a metric as transformers' TensorBoard callback names it: "train/loss", "eval/loss". */
export function tagOf(split: 'train' | 'validation', metric: string): string {
  return split === 'train' ? `train/${metric}` : `eval/${metric.replace(/^eval_/, '')}`;
}

/** Split and metric of a tag that `tagOf` wrote; any other tag is a metric of training under its whole name. */
export function metricOf(tag: string): { split: 'train' | 'validation'; metric: string } {
  const [, side, name] = /^(train|eval)\/(.+)$/s.exec(tag) ?? [];
  if (side === 'train') return { split: 'train', metric: name };
  if (side === 'eval') return { split: 'validation', metric: name.startsWith('val_') ? name : `eval_${name}` };
  return { split: 'train', metric: tag };
}

/**
 * The file's bytes: one event a row, in the order of steps. Values are float32, as TensorBoard's scalars are; what is no
 * finite number is left out. A row without a readable time takes that of the row before.
 */
export function eventFile({ train, validation }: ScalarHistories): Uint8Array<ArrayBuffer> {
  const rows = [...train.map((row) => ({ row, split: 'train' as const })), ...validation.map((row) => ({ row, split: 'validation' as const }))];
  rows.sort((a, b) => Number(a.row.step) - Number(b.row.step));
  let time = secondsOf(rows.find(({ row }) => secondsOf(row.time) !== null)?.row.time) ?? 0;
  const records = [record(concat([fixed64(1, time), text(3, FILE_VERSION)]))];
  for (const { row, split } of rows) {
    time = secondsOf(row.time) ?? time;
    const values = Object.entries(row).flatMap(([key, value]) => (PLACES.has(key) || typeof value !== 'number' || !Number.isFinite(value) ? [] : [message(1, concat([text(1, tagOf(split, key)), fixed32(2, value)]))]));
    if (values.length > 0) records.push(record(concat([fixed64(1, time), varintField(2, Number(row.step)), message(5, concat(values))])));
  }
  return concat(records);
}

/** Name that TensorBoard looks for; the number is when the run began, in seconds. */
export function eventFileName(startedAt: string): string {
  return `events.out.tfevents.${Math.max(0, Math.floor((Date.parse(startedAt) || 0) / 1000))}.lorikeet`;
}

function secondsOf(time: unknown): number | null {
  const milliseconds = typeof time === 'string' ? Date.parse(time) : Number.NaN;
  return Number.isFinite(milliseconds) ? milliseconds / 1000 : null;
}

/** TFRecord: length, its checksum, the data, their checksum. */
function record(data: Uint8Array): Uint8Array<ArrayBuffer> {
  const framed = new Uint8Array(data.length + 16);
  const view = new DataView(framed.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, maskedCrc32c(framed.subarray(0, 8)), true);
  framed.set(data, 12);
  view.setUint32(12 + data.length, maskedCrc32c(data), true);
  return framed;
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = BigInt(Math.trunc(value)); ; rest >>= 7n) {
    if (rest < 128n) return [...bytes, Number(rest)];
    bytes.push(Number(rest & 127n) | 128);
  }
}

function varintField(field: number, value: number): Uint8Array {
  return Uint8Array.from([field << 3, ...varint(value)]);
}

function fixed64(field: number, value: number): Uint8Array {
  const bytes = new Uint8Array(9);
  bytes[0] = (field << 3) | 1;
  new DataView(bytes.buffer).setFloat64(1, value, true);
  return bytes;
}

function fixed32(field: number, value: number): Uint8Array {
  const bytes = new Uint8Array(5);
  bytes[0] = (field << 3) | 5;
  new DataView(bytes.buffer).setFloat32(1, value, true);
  return bytes;
}

function message(field: number, body: Uint8Array): Uint8Array {
  return concat([Uint8Array.from([(field << 3) | 2, ...varint(body.length)]), body]);
}

function text(field: number, value: string): Uint8Array {
  return message(field, new TextEncoder().encode(value));
}

function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
