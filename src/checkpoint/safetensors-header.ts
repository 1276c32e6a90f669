/** The header of a safetensors file: 8 bytes length, then JSON of name -> dtype, shape, byte range. Nothing in it is trusted. */
import * as v from 'valibot';
import { LorikeetError } from '../protocol/errors.ts';
import { parseStrictObject } from './strict-json.ts';

/** Bytes per element of the types we can lay out. */
export const DTYPE_BYTES = {
  BOOL: 1, U8: 1, I8: 1, F8_E4M3: 1, F8_E5M2: 1,
  U16: 2, I16: 2, F16: 2, BF16: 2,
  U32: 4, I32: 4, F32: 4,
  U64: 8, I64: 8, F64: 8,
} as const;

export type Dtype = keyof typeof DTYPE_BYTES;

export interface TensorInfo {
  name: string;
  dtype: Dtype;
  shape: number[];
  /** Bytes from the start of the file. */
  start: number;
  end: number;
}

export interface SafetensorsHeader {
  /** In file order. */
  tensors: Map<string, TensorInfo>;
  metadata: Map<string, string>;
}

/** The format's own limit. */
export const MAX_HEADER_BYTES = 100_000_000;
const MAX_RANK = 16;
const DAMAGED = 'The file is damaged or its download was cut short: download it again.';

const natural = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const entrySchema = v.strictObject({
  dtype: v.picklist(Object.keys(DTYPE_BYTES) as Dtype[], (issue) => `unknown dtype ${issue.received}`),
  shape: v.pipe(v.array(natural), v.maxLength(MAX_RANK)),
  data_offsets: v.strictTuple([natural, natural]),
});

/**
 * Reads the header length.
 * @param prefix the first bytes of the file, at most 8
 * @throws LorikeetError "file-corrupt"
 */
export function parseHeaderLength(prefix: Uint8Array, fileBytes: number, file: string): number {
  if (prefix.length < 8) throw corrupt(file, `${file} has ${fileBytes} bytes; a safetensors file has at least 8.`);
  const length = new DataView(prefix.buffer, prefix.byteOffset, 8).getBigUint64(0, true);
  if (length > BigInt(MAX_HEADER_BYTES)) {
    throw corrupt(file, `${file} announces a header of ${length} bytes, allowed are ${MAX_HEADER_BYTES}; it is no safetensors file.`);
  }
  if (8n + length > BigInt(fileBytes)) {
    throw corrupt(file, `${file} announces a header of ${length} bytes but is only ${fileBytes} bytes long.`);
  }
  return Number(length);
}

/**
 * Parses and checks the header: known dtypes, sizes that match the shapes, ranges that tile the data without gap or overlap.
 * @throws LorikeetError "file-corrupt" naming file and tensor
 */
export function parseHeader(bytes: Uint8Array, fileBytes: number, file: string): SafetensorsHeader {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    throw corrupt(file, `The header of ${file} is not UTF-8 text.`, undefined, error);
  }
  const entries = Object.entries(parseStrictObject(text, file));
  const dataStart = 8 + bytes.length;
  const dataBytes = fileBytes - dataStart;
  let metadata = new Map<string, string>();
  const tensors: TensorInfo[] = [];
  for (const [name, entry] of entries) {
    if (name === '__metadata__') metadata = parseMetadata(entry, file);
    else tensors.push(parseTensor(name, entry, dataStart, dataBytes, file));
  }
  tensors.sort((a, b) => a.start - b.start || a.end - b.end);
  let expected = dataStart;
  for (const tensor of tensors) {
    if (tensor.start !== expected) {
      const what = tensor.start < expected ? 'overlaps the tensor before it' : 'leaves a gap before it';
      throw corrupt(file, `Tensor ${tensor.name} of ${file} ${what}: it starts at byte ${tensor.start}, expected ${expected}.`, tensor.name);
    }
    expected = tensor.end;
  }
  if (expected !== fileBytes) throw corrupt(file, `${file} has ${fileBytes} bytes, but its header describes ${expected}.`);
  return { tensors: new Map(tensors.map((tensor) => [tensor.name, tensor])), metadata };
}

function parseMetadata(entry: unknown, file: string): Map<string, string> {
  const bad = () => corrupt(file, `__metadata__ of ${file} must be an object of strings.`, '__metadata__');
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) throw bad();
  const metadata = new Map<string, string>();
  for (const [key, value] of Object.entries(entry)) {
    if (typeof value !== 'string') throw bad();
    metadata.set(key, value);
  }
  return metadata;
}

function parseTensor(name: string, entry: unknown, dataStart: number, dataBytes: number, file: string): TensorInfo {
  const parsed = v.safeParse(entrySchema, entry);
  if (!parsed.success) {
    const issue = parsed.issues[0];
    const path = v.getDotPath(issue);
    throw corrupt(file, `Tensor ${name} of ${file}${path ? `, ${path}` : ''}: ${issue.message}.`, name);
  }
  const { dtype, shape, data_offsets: [start, end] } = parsed.output;
  if (end < start) throw corrupt(file, `Tensor ${name} of ${file} ends at byte ${end}, before its start at ${start}.`, name);
  if (end > dataBytes) {
    throw corrupt(file, `Tensor ${name} of ${file} ends at data byte ${end}, but the file holds only ${dataBytes} bytes of data.`, name);
  }
  const size = shape.includes(0) ? 0 : shape.reduce((product, side) => product * side, DTYPE_BYTES[dtype]);
  if (size !== end - start) {
    throw corrupt(file, `Tensor ${name} of ${file} has ${end - start} bytes, but ${dtype} [${shape.join(', ')}] takes ${size}.`, name);
  }
  return { name, dtype, shape, start: dataStart + start, end: dataStart + end };
}

function corrupt(file: string, message: string, field?: string, cause?: unknown): LorikeetError {
  return new LorikeetError('file-corrupt', message, DAMAGED, field === undefined ? { file } : { file, field }, { cause });
}
