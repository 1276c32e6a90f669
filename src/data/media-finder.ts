/** References of a record -> dropped files: what is missing, ambiguous, empty or no picture at all is named with the reason. */
import { LorikeetError, type ErrorCode, type ErrorPlace } from '../protocol/errors.ts';
import type { Media } from '../protocol/media.ts';
import type { PathFile } from '../protocol/messages.ts';
import { checkFrameNumbers } from './frame-folder.ts';
import type { MediaIndex, Lookup } from './media-index.ts';
import type { MediaReference } from './media-reference.ts';
import { isPointer } from './lfs-pointer.ts';
import { baseName, fileKind, folderOf } from './paths.ts';
import type { ProblemList } from './problems.ts';

/** Finds what one file's records name. */
export class MediaFinder {
  /** Files found by their name only. */
  byNameOnly = 0;
  /** Clips whose own `fps` is left alone. */
  ownSpeed = 0;

  constructor(
    private readonly problems: ProblemList,
    /** Where to look, in this order. */
    private readonly indexes: readonly MediaIndex[],
    readonly recordFile: string,
    /** Told of every file that a record names, whether the record is used or not. */
    private readonly onNamed: (file: PathFile) => void,
  ) {}

  /** The files of a reference; null when something is wrong with them, which is reported then. */
  async find(reference: MediaReference, place: ErrorPlace): Promise<Media<PathFile> | null> {
    try {
      if (reference.kind === 'image') return { kind: 'image', file: await this.file(reference.path, 'image', 'image') };
      if (reference.kind === 'frames') {
        const files: PathFile[] = [];
        for (const path of reference.paths) files.push(await this.file(path, 'image', 'video'));
        return { kind: 'frames', files, fps: reference.fps ?? null };
      }
      return await this.clip(reference.path, reference.fps);
    } catch (error) {
      this.problems.caught(error, place);
      return null;
    }
  }

  private async clip(path: string, fps: number | undefined): Promise<Media<PathFile>> {
    if (this.lookup(path).kind === 'missing') {
      const folder = this.indexes.map((index) => index.findFolder(withoutScheme(path), this.recordFile)).find((found) => found !== null);
      if (folder) {
        folder.frames.forEach(this.onNamed);
        checkFrameNumbers(folder);
        return { kind: 'frames', files: folder.frames, fps: fps ?? null };
      }
    }
    const file = await this.file(path, 'video', 'video');
    if (fps !== undefined) this.ownSpeed++;
    return { kind: 'video', file };
  }

  private lookup(path: string): Lookup {
    for (const index of this.indexes) {
      const found = index.find(withoutScheme(path), this.recordFile);
      if (found.kind !== 'missing') return found;
    }
    return { kind: 'missing' };
  }

  private async file(path: string, expected: 'image' | 'video', field: 'image' | 'video'): Promise<PathFile> {
    const what = expected === 'image' ? (field === 'video' ? 'frame' : 'image') : 'video';
    const shown = path.length > 200 ? `${path.slice(0, 200)}…` : path;
    const fail = (message: string, advice: string, code: ErrorCode = 'image') => new LorikeetError(code, message, advice, { field });
    if (/^(https?|data|blob|s3|gs|hf|oss):/i.test(path)) {
      throw fail(`The ${what} ${shown.slice(0, 80)} is an address, not a file.`, `Save the ${what} as a file, drop it too and give its path.`);
    }
    const found = this.lookup(path);
    if (found.kind === 'missing') throw fail(`The ${what} ${shown} is not among the dropped files.`, this.explain(path, what), 'file-missing');
    if (found.kind === 'ambiguous') {
      throw fail(`The ${what} ${shown} could be ${found.paths.length} files: ${found.paths.slice(0, 3).join(', ')}.`, 'Give a longer path in the record, or rename the files.');
    }
    const { file } = found;
    this.onNamed(file);
    if (file.file.size === 0) throw fail(`The ${what} ${shown} is empty (0 bytes).`, `Replace the ${what} file.`);
    if (await isPointer(file.file)) throw fail(`The ${what} ${shown} is a Git LFS pointer, not the file itself.`, 'Run "git lfs pull" in the folder and drop it again.');
    if (expected === 'image' && fileKind(file.path) === 'video') throw fail(`${shown} is a video, but stands where an image is expected.`, 'Name it in "videos", with <video> in the text.');
    if (found.byNameOnly) this.byNameOnly++;
    return file;
  }

  /** Why a file may be missing, and what to do. */
  private explain(path: string, what: string): string {
    const [lookalike] = this.indexes.flatMap((index) => index.lookalikes(withoutScheme(path)));
    if (/^(none|null|nan)$/i.test(path)) return `If the sample has no ${what}, write null in place of the text ${JSON.stringify(path)}.`;
    if (lookalike === undefined) {
      return folderOf(path) === '' && /[;,|]/.test(path) ? 'If these are several files, give them as a list.' : `Drop the folder with the ${what}s together with the JSON file.`;
    }
    const name = baseName(lookalike);
    if (/\.(heic|heif)$/i.test(name)) return `There is ${lookalike}: browsers cannot read HEIC. Save it as JPEG and drop that.`;
    if (name.toLowerCase() === baseName(path).toLowerCase()) return `There is ${lookalike}, written in other letters: correct the record or rename the file.`;
    return `There is ${lookalike}, with another ending: correct the record.`;
  }
}

/** Addresses of files on the computer that the dataset was made on are paths. */
function withoutScheme(path: string): string {
  if (!/^file:/i.test(path)) return path;
  const rest = path.replace(/^file:(\/\/)?/i, '');
  try {
    return decodeURIComponent(rest);
  } catch {
    return rest;
  }
}
