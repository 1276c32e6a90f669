/** A model of which only packed weights are kept: its small files whole, its weight files as headers. */
import type { FileSource } from '../../checkpoint/file-source.ts';
import { BlobFileSource } from '../../checkpoint/file-source.ts';
import type { ModelFiles } from '../../checkpoint/model-files.ts';
import { LorikeetError } from '../../protocol/errors.ts';
import { onlyPacked } from './reader.ts';
import { readPacked, writeFile, type PackedRecord } from './record.ts';

const TEXTS = 'texts';
const HEADERS = 'headers';

/** A weight file that knows its size but has only its beginning. */
class HeaderBlob extends Blob {
  constructor(private readonly head: Blob, private readonly whole: number, private readonly model: string) {
    super([head]);
  }

  override get size(): number {
    return this.whole;
  }

  override slice(start = 0, end = this.whole): Blob {
    if (end > this.head.size) throw onlyPacked(this.model);
    return this.head.slice(start, end);
  }
}

/** Keeps what a model needs besides its packed weights. @returns the lists for the record */
export async function keepSource(folder: FileSystemDirectoryHandle, files: ModelFiles): Promise<Pick<PackedRecord, 'texts' | 'shards'>> {
  const texts = files.fileNames.filter((name) => /\.(?:json|jinja)$/.test(name));
  const inTexts = await folder.getDirectoryHandle(TEXTS, { create: true });
  for (const name of texts) await writeFile(inTexts, name, await files.readBlob(name));
  const inHeaders = await folder.getDirectoryHandle(HEADERS, { create: true });
  for (const { name, headerBytes } of files.shards) await writeFile(inHeaders, name, (await files.readBlob(name)).slice(0, headerBytes));
  return { texts, shards: files.shards.map(({ name, fileBytes }) => ({ name, size: fileBytes })) };
}

/** @throws LorikeetError "file-missing" when the weights are not, or no longer, whole */
export async function requirePacked(key: string): Promise<{ folder: FileSystemDirectoryHandle; record: PackedRecord }> {
  const packed = await readPacked(key);
  if (!packed) throw new LorikeetError('file-missing', 'The packed weights are gone or not whole.', 'Delete them under Models and load the model from its folder or download.', { file: key });
  return packed;
}

/** @throws as requirePacked */
export async function packedSource(key: string): Promise<FileSource> {
  const { folder, record } = await requirePacked(key);
  const { name: model, texts, shards } = record;
  const read = async (place: string, name: string) => (await (await folder.getDirectoryHandle(place)).getFileHandle(name)).getFile();
  const small = await Promise.all(texts.map(async (path) => ({ path, file: await read(TEXTS, path) })));
  const heads = await Promise.all(shards.map(async ({ name, size }) => ({ path: name, file: new HeaderBlob(await read(HEADERS, name), size, model) })));
  return new BlobFileSource([...small, ...heads]);
}
