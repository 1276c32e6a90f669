/** The ZIP of an exported run: only what belongs to a run is unpacked, and every file is compared with its entry in the list. */
import { parseStrictObject } from '../checkpoint/strict-json.ts';
import { SafetensorsFile } from '../checkpoint/safetensors.ts';
import { readZip, ZIP_LIMITS } from '../data/zip.ts';
import { LorikeetError } from '../protocol/errors.ts';
import type { PathFile } from '../protocol/messages.ts';
import { checkImage } from './exported-images.ts';
import { sha256 } from './fingerprint.ts';
import type { StoredFile } from './records.ts';
import { MANIFEST_FILE, mayBelongToRun, partOf } from './run-paths.ts';

const MAX_TEXT_BYTES = 256 * 2 ** 20;
const MAX_IMAGE_BYTES = 256 * 2 ** 20;
/** Answers that repeat one word shrink to less than a hundredth, so bytes are limited instead of the ratio. */
const LIMITS = { ...ZIP_LIMITS, entries: 65_534, inflatedBytes: 2 * 2 ** 30, ratio: Infinity };
const ADVICE = 'Export the run again, or copy the archive anew: it seems damaged.';

export class RunArchive {
  private constructor(private readonly files: ReadonlyMap<string, Blob>) {}

  /**
   * Opens an archive; a folder round everything is dropped.
   * @throws LorikeetError "file-corrupt", "file-missing" when it is not an exported run
   */
  static async open(archive: PathFile): Promise<RunArchive> {
    const found = await readZip(archive, LIMITS, mayBelongToRun).catch((error: unknown) => {
      const known = LorikeetError.from(error);
      throw new LorikeetError('file-corrupt', known.message, ADVICE, known.place, { cause: error });
    });
    const paths = found.files.map(({ path, file }) => ({ path: path.slice(archive.path.length + 1), file }));
    const manifest = paths.filter(({ path }) => path.endsWith(MANIFEST_FILE)).sort((a, b) => a.path.length - b.path.length)[0];
    if (!manifest) {
      throw new LorikeetError(
        'file-missing',
        `${archive.path} holds no ${MANIFEST_FILE}: it is not an exported run.`,
        'Choose a ZIP that the page offered as the whole run.',
        { file: archive.path },
      );
    }
    const folder = manifest.path.slice(0, -MANIFEST_FILE.length);
    const files = new Map<string, Blob>();
    for (const { path, file } of paths) {
      if (!path.startsWith(folder)) continue;
      const inside = path.slice(folder.length);
      if (files.has(inside)) throw new LorikeetError('file-corrupt', `${archive.path} holds ${inside} twice.`, ADVICE, { file: inside });
      files.set(inside, file);
    }
    return new RunArchive(files);
  }

  has(path: string): boolean {
    return this.files.has(path);
  }

  /** @throws LorikeetError "file-missing", "file-too-large" */
  async text(path: string): Promise<string> {
    return this.limited(path, MAX_TEXT_BYTES).text();
  }

  /** @throws LorikeetError "file-missing" */
  async bytes(path: string): Promise<ArrayBuffer> {
    return this.file(path).arrayBuffer();
  }

  /**
   * Compares a file with its entry in the list, and with what its name promises.
   * @throws LorikeetError "file-missing", "file-corrupt", "file-too-large" naming the file
   */
  async check({ path, size, sha256: hash }: StoredFile): Promise<void> {
    const file = this.file(path);
    if (file.size !== size) throw new LorikeetError('file-corrupt', `${path} has ${file.size} bytes, expected ${size}.`, ADVICE, { file: path });
    if (path.endsWith('.safetensors')) await SafetensorsFile.open(file, path);
    if (path.endsWith('.json')) parseStrictObject(await this.text(path), path);
    const part = partOf(path);
    const type = part && 'type' in part ? part.type : null;
    const bytes = new Uint8Array(await (type ? this.limited(path, MAX_IMAGE_BYTES) : file).arrayBuffer());
    if (type) checkImage(bytes, path, type);
    if ((await sha256(bytes)) !== hash) {
      throw new LorikeetError('file-corrupt', `${path} is not what was exported: its checksum differs.`, ADVICE, { file: path });
    }
  }

  private file(path: string): Blob {
    const file = this.files.get(path);
    if (!file) throw new LorikeetError('file-missing', `The archive lacks ${path}.`, ADVICE, { file: path });
    return file;
  }

  private limited(path: string, bytes: number): Blob {
    const file = this.file(path);
    if (file.size > bytes) throw new LorikeetError('file-too-large', `${path} has ${file.size} bytes; at most ${bytes} are read.`, ADVICE, { file: path });
    return file;
  }
}
