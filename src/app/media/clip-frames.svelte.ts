/** The frames of a clip for the page: as the model sees them where one is loaded, else as they were given. */
import { LorikeetError, type ErrorRecord } from '../../protocol/errors.ts';
import type { Media } from '../../protocol/media.ts';
import { model } from '../state/model.svelte.ts';
import { settings } from '../state/settings.svelte.ts';
import { trainer } from '../state/trainer.svelte.ts';
import { framePictures } from './frame-pictures.ts';

export type Clip = Exclude<Media<Blob>, { kind: 'image' }>;

export interface ClipFrames {
  pictures: readonly Blob[];
  /** Seconds from the beginning; null where nobody says how fast the frames follow each other. */
  times: readonly number[] | null;
  /** Null before a model has looked at the clip. */
  tokens: number | null;
}

/** Follows a clip that may change; call while a component is being made. */
export function clipFrames(clip: () => Clip): { readonly frames: ClipFrames | null; readonly error: ErrorRecord | null } {
  let frames = $state.raw<ClipFrames | null>(null);
  let error = $state.raw<ErrorRecord | null>(null);
  $effect(() => {
    const asked = clip();
    const { config } = settings;
    frames = asIs(asked);
    error = null;
    if (!model.summary || !config) return;
    let stale = false;
    trainer
      .request({ type: 'viewClip', clip: asked, config })
      .then(async (view) => ({ pictures: await framePictures(view), times: view.times, tokens: view.tokens }))
      .then(
        (seen) => {
          if (!stale) frames = seen;
        },
        (reason: unknown) => {
          if (!stale) error = LorikeetError.from(reason).toRecord();
        },
      );
    return () => (stale = true);
  });
  return {
    get frames() {
      return frames;
    },
    get error() {
      return error;
    },
  };
}

/** Frames that were given one by one; a video file has to be decoded first. */
function asIs(clip: Clip): ClipFrames | null {
  if (clip.kind === 'video') return null;
  const { files, fps } = clip;
  return { pictures: files, times: fps === null ? null : files.map((_, i) => i / fps), tokens: null };
}
