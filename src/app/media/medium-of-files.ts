/** What was dropped or picked to ask about -> one picture or clip. */
import { fileKind, folderOf } from '../../data/paths.ts';
import type { Media } from '../../protocol/media.ts';
import type { PathFile } from '../../protocol/messages.ts';

/** What browsers call the kinds of files that need no telling name. */
function kindOf({ path, file }: PathFile): 'image' | 'video' | null {
  const kind = fileKind(path);
  if (kind === 'image' || kind === 'video') return kind;
  return file.type.startsWith('image/') ? 'image' : file.type.startsWith('video/') ? 'video' : null;
}

const byNumber = new Intl.Collator('en', { numeric: true });

/**
 * The first clip; several pictures together are the frames of one, in the order of their names; one picture is itself.
 * @returns null where there is neither
 */
export function mediumOf(files: readonly PathFile[]): { medium: Media<Blob>; name: string } | null {
  const clip = files.find((file) => kindOf(file) === 'video');
  if (clip) return { medium: { kind: 'video', file: clip.file }, name: nameOf(clip) };
  const pictures = files.filter((file) => kindOf(file) === 'image').sort((a, b) => byNumber.compare(a.path, b.path));
  if (pictures.length === 0) return null;
  if (pictures.length === 1) return { medium: { kind: 'image', file: pictures[0].file }, name: nameOf(pictures[0]) };
  return { medium: { kind: 'frames', files: pictures.map(({ file }) => file), fps: null }, name: folderOf(pictures[0].path) || `${nameOf(pictures[0])} …` };
}

function nameOf({ path }: PathFile): string {
  return path.split('/').at(-1) ?? '';
}
