/** Reads tensors out of a safetensors file piece by piece, and writes such files. */
import { invariant, LorikeetError } from '../protocol/errors.ts';
import { DTYPE_BYTES, parseHeader, parseHeaderLength, type Dtype, type TensorInfo } from './safetensors-header.ts';

export type { Dtype, TensorInfo };

/** One tensor in memory. */
export interface TensorData {
  dtype: Dtype;
  shape: number[];
  /** Little-endian, row-major; starts at byte 0 of its own buffer. */
  bytes: Uint8Array<ArrayBuffer>;
}

/** A piece of a tensor. */
export interface TensorChunk {
  /** Bytes from the start of the tensor. */
  offset: number;
  bytes: Uint8Array<ArrayBuffer>;
}

/** Reads a slice of a file. @throws DOMException when the file cannot be read any more */
export type ReadBlob = (slice: Blob) => Promise<ArrayBuffer>;

/** A tensor to be written. */
export interface NamedTensor {
  name: string;
  dtype: Dtype;
  shape: readonly number[];
  /** Little-endian, row-major. */
  data: ArrayBufferView;
}

/** Browsers refuse ArrayBuffers beyond about 2 GB. */
const MAX_TENSOR_BYTES = 2 ** 31 - 1;
const CHUNK_BYTES = 64 * 2 ** 20;

/** A safetensors file whose header has been checked; the data stay on disk until asked for. */
export class SafetensorsFile {
  private constructor(
    readonly name: string,
    private readonly blob: Blob,
    /** Bytes before the first tensor. */
    readonly headerBytes: number,
    /** By tensor name, in file order. */
    readonly tensors: ReadonlyMap<string, TensorInfo>,
    readonly metadata: ReadonlyMap<string, string>,
    private readonly read: ReadBlob,
  ) {}

  /**
   * Reads and checks the header only.
   * @param name what errors call the file
   * @param read reads slices of the file, now and later
   * @throws LorikeetError "file-corrupt" when the header does not describe exactly this file; "file-missing" when it cannot be read
   */
  static async open(blob: Blob, name: string, read: ReadBlob = (slice) => slice.arrayBuffer()): Promise<SafetensorsFile> {
    const length = parseHeaderLength(await readBytes(read, blob, 0, 8, name), blob.size, name);
    const header = parseHeader(await readBytes(read, blob, 8, 8 + length, name), blob.size, name);
    return new SafetensorsFile(name, blob, 8 + length, header.tensors, header.metadata, read);
  }

  get fileBytes(): number {
    return this.blob.size;
  }

  /** @throws LorikeetError "tensor-missing" */
  info(tensor: string): TensorInfo {
    const info = this.tensors.get(tensor);
    if (!info) {
      throw new LorikeetError('tensor-missing', `${this.name} has no tensor ${tensor}.`, 'Check that all files belong to the same model.', { file: this.name, field: tensor });
    }
    return info;
  }

  /**
   * Reads one whole tensor.
   * @throws LorikeetError "tensor-missing", "file-too-large" (2 GB and more: use readRows or streamTensor), "file-missing"
   */
  readTensor(tensor: string): Promise<TensorData> {
    const { shape, start, end } = this.info(tensor);
    return this.readRange(tensor, shape, start, end);
  }

  /**
   * Reads rows [r0, r1) of a tensor's first axis.
   * @throws as readTensor
   */
  readRows(tensor: string, r0: number, r1: number): Promise<TensorData> {
    const { shape, start, end } = this.info(tensor);
    const [rows, ...rest] = shape;
    invariant(0 <= r0 && r0 <= r1 && r1 <= rows, `rows ${r0} to ${r1} lie outside tensor ${tensor} [${shape.join(', ')}]`);
    const rowBytes = rows === 0 ? 0 : (end - start) / rows;
    return this.readRange(tensor, [r1 - r0, ...rest], start + r0 * rowBytes, start + r1 * rowBytes);
  }

  /**
   * Yields a tensor in pieces of at most `chunkBytes`, in order, never cutting an element.
   * @throws LorikeetError "tensor-missing", "file-missing"
   */
  async *streamTensor(tensor: string, chunkBytes = CHUNK_BYTES): AsyncGenerator<TensorChunk, void, undefined> {
    const { dtype, start, end } = this.info(tensor);
    const item = DTYPE_BYTES[dtype];
    const step = Math.floor(chunkBytes / item) * item;
    invariant(step > 0, `a chunk of ${chunkBytes} bytes cannot hold one element`);
    for (let at = start; at < end; at += step) {
      yield { offset: at - start, bytes: await readBytes(this.read, this.blob, at, Math.min(end, at + step), this.name) };
    }
  }

  private async readRange(tensor: string, shape: readonly number[], start: number, end: number): Promise<TensorData> {
    if (end - start > MAX_TENSOR_BYTES) {
      throw new LorikeetError('file-too-large', `Tensor ${tensor} of ${this.name} has ${end - start} bytes, more than fit in one piece.`, 'Use a smaller model.', { file: this.name, field: tensor });
    }
    return { dtype: this.info(tensor).dtype, shape: [...shape], bytes: await readBytes(this.read, this.blob, start, end, this.name) };
  }
}

async function readBytes(read: ReadBlob, blob: Blob, start: number, end: number, name: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return new Uint8Array(await read(blob.slice(start, end)));
  } catch (error) {
    if (error instanceof LorikeetError) throw error;
    throw new LorikeetError('file-missing', `${name} can no longer be read: ${(error as Error).message}`, 'The file was moved, changed or its drive removed: choose the folder again.', { file: name }, { cause: error });
  }
}

/**
 * Order, offsets and header of a safetensors file. Wide elements come first, then by name, so that every tensor is aligned to its
 * element; the header is padded to 8 bytes.
 * @returns the file's first bytes, and the tensors in the order in which their data follow
 */
export function layOut<Tensor extends Pick<NamedTensor, 'name' | 'dtype' | 'shape'>>(
  tensors: readonly Tensor[],
  metadata: Readonly<Record<string, string>>,
): { header: Uint8Array<ArrayBuffer>; ordered: Tensor[]; dataBytes: number } {
  const ordered = [...tensors].sort((a, b) => DTYPE_BYTES[b.dtype] - DTYPE_BYTES[a.dtype] || (a.name < b.name ? -1 : 1));
  invariant(new Set(ordered.map((tensor) => tensor.name)).size === ordered.length, 'two tensors have the same name');
  const entries = [`"__metadata__":${JSON.stringify(metadata)}`];
  let offset = 0;
  for (const { name, dtype, shape } of ordered) {
    const size = shape.reduce((product, side) => product * side, DTYPE_BYTES[dtype]);
    entries.push(`${JSON.stringify(name)}:${JSON.stringify({ dtype, shape, data_offsets: [offset, offset + size] })}`);
    offset += size;
  }
  const json = new TextEncoder().encode(`{${entries.join(',')}}`);
  const headerBytes = Math.ceil(json.length / 8) * 8;
  const header = new Uint8Array(8 + headerBytes).fill(0x20);
  new DataView(header.buffer).setBigUint64(0, BigInt(headerBytes), true);
  header.set(json, 8);
  return { header, ordered, dataBytes: offset };
}

/** Builds a safetensors file in memory, laid out as layOut says. */
export function writeSafetensors(tensors: readonly NamedTensor[], metadata: Readonly<Record<string, string>> = { format: 'pt' }): Uint8Array<ArrayBuffer> {
  const { header, ordered, dataBytes } = layOut(tensors, metadata);
  const file = new Uint8Array(header.length + dataBytes);
  file.set(header);
  let at = header.length;
  for (const { name, dtype, shape, data } of ordered) {
    const size = shape.reduce((product, side) => product * side, DTYPE_BYTES[dtype]);
    invariant(data.byteLength === size, `tensor ${name} has ${data.byteLength} bytes, ${dtype} [${shape.join(', ')}] takes ${size}`);
    file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += size;
  }
  return file;
}
