/** Pictures and clips of a sample, before anything of them is read. */

/**
 * One picture or clip; F is a path, or a path with its file. `frames` is a clip that was taken apart: its pictures in
 * order, and how many of them make a second (null: they were picked at the rate at which the model looks at clips).
 */
export type Media<F> = { kind: 'image'; file: F } | { kind: 'video'; file: F } | { kind: 'frames'; files: F[]; fps: number | null };

/** The files of one picture or clip. */
export function filesOf<F>(medium: Media<F>): readonly F[] {
  return medium.kind === 'frames' ? medium.files : [medium.file];
}

/** The pictures among them. */
export function picturesOf<F>(media: readonly Media<F>[]): F[] {
  return media.flatMap((medium) => (medium.kind === 'image' ? [medium.file] : []));
}

/** The same picture or clip with its files given in another way. */
export function withFiles<F, G>(medium: Media<F>, change: (file: F, index: number) => G): Media<G> {
  return medium.kind === 'frames' ? { ...medium, files: medium.files.map(change) } : { ...medium, file: change(medium.file, 0) };
}

/** A picture that stands for it in lists: itself, or a clip's first frame; null for a video file, which has to be decoded for that. */
export function posterOf<F>(medium: Media<F> | undefined): F | null {
  if (!medium || medium.kind === 'video') return null;
  return medium.kind === 'image' ? medium.file : (medium.files.at(0) ?? null);
}
