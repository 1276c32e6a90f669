/** Pictures and clips of samples as the page can show them: none is packed as it lies in its archive. */
import type { DatasetSample } from '../data/dataset.ts';
import { plainFile } from '../processing/archived-file.ts';
import { filesOf, type Media, posterOf, withFiles } from '../protocol/media.ts';
import type { PathFile } from '../protocol/messages.ts';

/**
 * As a Blob that the page can show; null for a sample without pictures.
 * @throws LorikeetError "image" when it cannot be unpacked
 */
export async function plainPoster(media: DatasetSample['media']): Promise<Blob | null> {
  const poster = posterOf(media.at(0));
  return poster && plainFile(poster.file, poster.path);
}

/** A picture or clip as Blobs. @throws LorikeetError as `plainPoster` */
export async function plainMedium(medium: Media<PathFile>): Promise<Media<Blob>> {
  const plain = await Promise.all(filesOf(medium).map(({ file, path }) => plainFile(file, path)));
  return withFiles(medium, (_, i) => plain[i]);
}
