/** The folder under test as the parity page sees it. */
import { SafetensorsFile } from '../../src/checkpoint/safetensors.ts';
import { toFloat32 } from '../../src/checkpoint/tensor-values.ts';

/** A file's path in the folder and where the page can fetch it. */
export interface ServedFile {
  path: string;
  url: string;
}

/** Reference files have their own, documented shapes; a wrong one fails its check, it harms nobody. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- see above
export type Json = any;

export class Folder {
  readonly #urls: ReadonlyMap<string, string>;
  readonly #blobs = new Map<string, Promise<Blob>>();

  constructor(files: readonly ServedFile[]) {
    this.#urls = new Map(files.map(({ path, url }) => [path, url]));
  }

  has(path: string): boolean {
    return this.#urls.has(path);
  }

  /** Paths below a prefix, or all. */
  list(prefix = ''): string[] {
    return [...this.#urls.keys()].filter((path) => path.startsWith(prefix));
  }

  /** @throws Error when there is no such file */
  blob(path: string): Promise<Blob> {
    const cached = this.#blobs.get(path);
    if (cached) return cached;
    const blob = this.#fetch(path);
    this.#blobs.set(path, blob);
    return blob;
  }

  /** Text, or null when there is no such file. */
  async text(path: string): Promise<string | null> {
    return this.has(path) ? (await this.blob(path)).text() : null;
  }

  async json(path: string): Promise<Json> {
    return JSON.parse(await (await this.blob(path)).text());
  }

  async tensors(path: string): Promise<TensorReader> {
    return new TensorReader(await SafetensorsFile.open(await this.blob(path), path));
  }

  async #fetch(path: string): Promise<Blob> {
    const url = this.#urls.get(path);
    if (url === undefined) throw new Error(`${path} is missing`);
    const response = await fetch(url);
    if (!response.ok) throw new Error(`${path}: the server answers ${response.status}`);
    return response.blob();
  }
}

/** Tensors of one safetensors file as numbers. */
export class TensorReader {
  constructor(readonly file: SafetensorsFile) {}

  get names(): string[] {
    return [...this.file.tensors.keys()];
  }

  has(name: string): boolean {
    return this.file.tensors.has(name);
  }

  shape(name: string): readonly number[] {
    return this.file.info(name).shape;
  }

  async bytes(name: string): Promise<Uint8Array> {
    return (await this.file.readTensor(name)).bytes;
  }

  /** Float tensors of any width as float32. */
  async floats(name: string): Promise<Float32Array> {
    return toFloat32(await this.file.readTensor(name), { file: this.file.name, field: name });
  }
}
