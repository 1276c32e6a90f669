/** Where a model's files come from: a dropped folder, storage, or a web address. */
import { LorikeetError } from '../protocol/errors.ts';
import type { PathFile } from '../protocol/messages.ts';

export interface FileSource {
  /** Paths with forward slashes, e.g. "Qwen3-VL-2B/config.json". */
  names(): string[];
  /** @throws LorikeetError "file-missing" */
  blob(name: string): Promise<Blob>;
  /**
   * A text file, or null when there is none of that name.
   * @throws LorikeetError "file-too-large", "file-corrupt" when it is not UTF-8
   */
  text(name: string): Promise<string | null>;
}

/** Real tokenizer.json files have about 11 MB. */
export const MAX_TEXT_BYTES = 32 * 2 ** 20;

/** Files that are already at hand. */
export class BlobFileSource implements FileSource {
  private readonly files = new Map<string, Blob>();

  /** @throws LorikeetError "file-corrupt" when two files have the same path */
  constructor(files: readonly PathFile[]) {
    for (const { path, file } of files) {
      const name = normalizePath(path);
      if (this.files.has(name)) throw new LorikeetError('file-corrupt', `Two files have the path ${name}.`, 'Choose one folder only.', { file: name });
      this.files.set(name, file);
    }
  }

  names(): string[] {
    return [...this.files.keys()];
  }

  async blob(name: string): Promise<Blob> {
    const file = this.files.get(name);
    if (!file) throw missing(name);
    return file;
  }

  async text(name: string): Promise<string | null> {
    const file = this.files.get(name);
    return file ? readText(file, name) : null;
  }
}

/** Files below a web address; the list of names must be known because the web has no folders. */
export class UrlFileSource implements FileSource {
  private readonly fileNames: ReadonlySet<string>;

  /** @param baseUrl address of the folder, with or without its last slash */
  constructor(private readonly baseUrl: string, names: readonly string[]) {
    this.fileNames = new Set(names);
  }

  names(): string[] {
    return [...this.fileNames];
  }

  async blob(name: string): Promise<Blob> {
    if (!this.fileNames.has(name)) throw missing(name);
    const url = `${this.baseUrl.replace(/\/$/, '')}/${name.split('/').map(encodeURIComponent).join('/')}`;
    let response: Response;
    try {
      response = await fetch(url);
    } catch (error) {
      throw new LorikeetError('file-missing', `${url} cannot be fetched: ${(error as Error).message}`, 'Check the connection and try again.', { file: name }, { cause: error });
    }
    if (!response.ok) {
      throw new LorikeetError('file-missing', `${url} answers ${response.status} ${response.statusText}.`, 'Reload the page; if it happens again, the server lacks the file.', { file: name });
    }
    return response.blob();
  }

  async text(name: string): Promise<string | null> {
    return this.fileNames.has(name) ? readText(await this.blob(name), name) : null;
  }
}

async function readText(blob: Blob, name: string): Promise<string> {
  if (blob.size > MAX_TEXT_BYTES) {
    throw new LorikeetError('file-too-large', `${name} has ${blob.size} bytes, allowed are ${MAX_TEXT_BYTES}.`, 'Check that the right file has this name.', { file: name });
  }
  let bytes: ArrayBuffer;
  try {
    bytes = await blob.arrayBuffer();
  } catch (error) {
    throw new LorikeetError('file-missing', `${name} can no longer be read: ${(error as Error).message}`, 'The file was moved or changed: choose the folder again.', { file: name }, { cause: error });
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw new LorikeetError('file-corrupt', `${name} is not UTF-8 text.`, 'The file is damaged: download it again.', { file: name }, { cause: error });
  }
}

function normalizePath(path: string): string {
  return path.replaceAll('\\', '/').replace(/^(?:\.?\/)+/, '');
}

function missing(name: string): LorikeetError {
  return new LorikeetError('file-missing', `${name} is missing.`, 'Choose the whole folder of the model.', { file: name });
}
