/** TensorBoard event files, of any program: their scalars as one run. */
import { LorikeetError } from '../protocol/errors.ts';
import { maskedCrc32c } from './crc32c.ts';
import { metricOf } from './event-writer.ts';
import { HistoryReader } from './history-reader.ts';
import { note, said } from './notes.ts';
import { bareObject, type LogNote, type LogRow, type RunLog } from './run-log.ts';
import { wireFields } from './wire.ts';

interface Scalar {
  tag: string;
  value: number;
}

/** DataType of tensorflow/core/framework/types.proto. */
const FLOAT = 1n;
const DOUBLE = 2n;

/** Whether a name is one that TensorBoard looks for. */
export function isEventFile(path: string): boolean {
  return /(?:^|\/)[^/]*tfevents[^/]*$/.test(path);
}

/**
 * Reads an event file, or several of one run put one behind the other. Where a checksum is wrong or the file ends inside
 * a record, what stands before is read and a note says where.
 * @throws LorikeetError "file-corrupt" when it is no event file or has no scalar; "file-too-large"
 */
export function readEventFile(bytes: Uint8Array, source: string): RunLog {
  const reader = new HistoryReader(source);
  const found = { train: new Map<number, Record<string, unknown>>(), validation: new Map<number, Record<string, unknown>>() };
  const notes: LogNote[] = [];
  let events = 0;
  for (const part of records(bytes)) {
    if ('broken' in part) {
      notes.push(note('warning', said('eventsBreakOff', { byte: part.at, reason: part.broken }), { byte: part.at }));
      break;
    }
    try {
      const { step, scalars } = eventOf(part.data);
      events += 1;
      for (const { tag, value } of scalars) {
        const { split, metric } = metricOf(tag);
        // The event's own step places it, whatever a scalar is called.
        if (metric === 'step') continue;
        const row = found[split].get(step) ?? Object.assign(bareObject<unknown>(), { step });
        row[metric] = value;
        found[split].set(step, row);
      }
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      notes.push(note('warning', said('eventsBreakOff', { byte: part.at, reason: error.message }), { byte: part.at }));
      break;
    }
  }
  if (events === 0) throw new LorikeetError('file-corrupt', `${source} is no TensorBoard event file${notes[0] ? `: ${notes[0].message}` : '.'}`, 'Copy the file anew.', { file: source });
  const rowsOf = (rows: ReadonlyMap<number, Record<string, unknown>>): LogRow[] => reader.rows([...rows.values()].sort((a, b) => Number(a.step) - Number(b.step)), 'events');
  const [train, validation] = [rowsOf(found.train), rowsOf(found.validation)];
  if (train.length + validation.length === 0) throw new LorikeetError('file-corrupt', `${source} holds no scalar.`, 'Images, histograms and graphs are not read.', { file: source });
  return { name: source, source, dialect: 'tensorboard', config: bareObject<unknown>(), train, validation, best: null, finalMetrics: bareObject<number | string | null>(), environment: bareObject<unknown>(), notes: [...notes, ...reader.notes()] };
}

type Framed = { at: number; data: Uint8Array } | { at: number; broken: string };

function* records(bytes: Uint8Array): Generator<Framed> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < bytes.length; ) {
    if (bytes.length - at < 16) return yield { at, broken: 'the file ends inside a record' };
    if (view.getUint32(at + 8, true) !== maskedCrc32c(bytes.subarray(at, at + 8))) return yield { at, broken: 'the checksum of a length is wrong' };
    const length = view.getBigUint64(at, true);
    if (length > BigInt(bytes.length - at - 16)) return yield { at, broken: 'the file ends inside a record' };
    const data = bytes.subarray(at + 12, at + 12 + Number(length));
    if (view.getUint32(at + 12 + data.length, true) !== maskedCrc32c(data)) return yield { at, broken: 'the checksum of a record is wrong' };
    yield { at, data };
    at += data.length + 16;
  }
}

/** Event: step is field 2, summary field 5 with its values in field 1. */
function eventOf(bytes: Uint8Array): { step: number; scalars: Scalar[] } {
  let step = 0;
  const scalars: Scalar[] = [];
  for (const field of wireFields(bytes)) {
    if (field.number === 2 && field.type === 0) step = Number(BigInt.asIntN(64, field.value));
    if (field.number !== 5 || field.type !== 2) continue;
    for (const value of wireFields(field.bytes)) {
      const scalar = value.number === 1 && value.type === 2 ? scalarOf(value.bytes) : null;
      if (scalar) scalars.push(scalar);
    }
  }
  return { step, scalars };
}

/** Summary.Value: a tag, and a simple_value or a tensor of one element; null for pictures, histograms and the like. */
function scalarOf(bytes: Uint8Array): Scalar | null {
  let tag = '';
  let value: number | null = null;
  for (const field of wireFields(bytes)) {
    if (field.number === 1 && field.type === 2) tag = new TextDecoder().decode(field.bytes);
    if (field.number === 2 && field.type === 5) value = float32(field.bytes);
    if (field.number === 8 && field.type === 2) value = tensorOf(field.bytes);
  }
  return tag === '' || value === null ? null : { tag, value };
}

/** TensorProto of one float or double: in tensor_content (4), float_val (5) or double_val (6). */
function tensorOf(bytes: Uint8Array): number | null {
  let type = 0n;
  let content: Uint8Array | null = null;
  for (const field of wireFields(bytes)) {
    if (field.number === 1 && field.type === 0) type = field.value;
    if ((field.number === 4 || field.number === 5 || field.number === 6) && field.type !== 0) content = field.bytes;
  }
  if (type === FLOAT && content?.length === 4) return float32(content);
  if (type === DOUBLE && content?.length === 8) return new DataView(content.buffer, content.byteOffset, 8).getFloat64(0, true);
  return null;
}

function float32(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset, 4).getFloat32(0, true);
}
