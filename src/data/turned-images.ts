/** The pictures of samples that a camera has noted an orientation of: one notice for all of them. */
import { readPictureFacts } from '../processing/decode-image.ts';
import { LorikeetError } from '../protocol/errors.ts';
import { filesOf, type Media } from '../protocol/media.ts';
import type { PathFile } from '../protocol/messages.ts';
import type { ProblemList } from './problems.ts';

/** Headers read at the same time. */
const PARALLEL = 8;

/** Remembers what it has looked at: a file is read once, however many samples and encodings use it. */
export class TurnedImages {
  private readonly seen = new Map<PathFile, boolean>();

  /** Says how many of the samples' pictures were turned. Pictures that cannot be read are named elsewhere. */
  async report(samples: readonly { media: readonly Media<PathFile>[] }[], problems: ProblemList): Promise<void> {
    const files = [...new Set(samples.flatMap(({ media }) => media.flatMap((medium) => (medium.kind === 'video' ? [] : filesOf(medium)))))];
    const unseen = files.filter((file) => !this.seen.has(file));
    for (let from = 0; from < unseen.length; from += PARALLEL) {
      await Promise.all(unseen.slice(from, from + PARALLEL).map(async (file) => void this.seen.set(file, await isTurned(file))));
    }
    const turned = files.filter((file) => this.seen.get(file)).length;
    if (turned === 0) return;
    problems.warning(
      `${turned} images carry an orientation and were turned.`,
      'Nothing to do where boxes were drawn on the upright picture, as viewers and annotation tools show it: compare one in the preview.',
    );
  }
}

async function isTurned({ file, path }: PathFile): Promise<boolean> {
  try {
    return (await readPictureFacts(file, path)).orientation !== 1;
  } catch (error) {
    if (!(error instanceof LorikeetError)) throw error;
    return false;
  }
}
