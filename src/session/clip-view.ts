/** A clip as the loaded model sees it, for the page's preview. */
import type { TrainingConfig } from '../protocol/config.ts';
import { invariant } from '../protocol/errors.ts';
import type { Media } from '../protocol/media.ts';
import type { ClipView } from '../protocol/messages.ts';
import { mediaOptions } from './encoded-dataset.ts';
import { namedMedia } from './named-media.ts';
import type { OpenModel } from './session-model.ts';

/**
 * Samples and resizes a clip.
 * @throws LorikeetError "image" when it cannot be decoded, "sample-too-long" when it alone has more than max_length tokens
 */
export async function viewClip({ processor }: Pick<OpenModel, 'processor'>, clip: Media<Blob>, config: TrainingConfig): Promise<ClipView> {
  const [medium] = namedMedia([clip]);
  const encoded = await processor.encodePrompt(
    { id: 'clip', conversation: [{ role: 'user', content: [{ type: medium.kind === 'image' ? 'image' : 'video', index: 0 }] }], media: [medium] },
    { maxLength: config.max_length, ...mediaOptions(config) },
  );
  const [{ grid, secondsPerGrid }] = encoded.media;
  const frames = await encoded.pixels(0);
  invariant(frames.length % grid[0] === 0 || frames.length < grid[0] * processor.preprocessor.temporalPatchSize, 'a clip has other frames than its grid says');
  const perGrid = Math.max(1, Math.round(frames.length / grid[0]));
  const seconds = secondsPerGrid ?? 0;
  return {
    frames: frames.map(({ pixels, width, height }) => ({ pixels, width, height })),
    times: frames.map((_, i) => (i / perGrid) * seconds),
    tokens: encoded.visionRows.length,
  };
}
