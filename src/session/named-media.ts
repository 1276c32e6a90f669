/** Pictures and clips from outside any dataset: files without paths. */
import { type Media, withFiles } from '../protocol/media.ts';
import type { PathFile } from '../protocol/messages.ts';

/** Gives them names by their place, for errors to speak of: "image", "video 2, frame 3". */
export function namedMedia(media: readonly Media<Blob>[]): Media<PathFile>[] {
  return media.map((medium, i) => {
    const what = `${medium.kind === 'image' ? 'image' : 'video'}${media.length === 1 ? '' : ` ${i + 1}`}`;
    return withFiles(medium, (file, frame) => ({ path: medium.kind === 'frames' ? `${what}, frame ${frame + 1}` : what, file }));
  });
}
