/** Things that are said once for a file, however many of its samples they are about. */
import type { ErrorPlace } from '../protocol/errors.ts';
import type { MediaFinder } from './media-finder.ts';
import { PixelBoxes } from './pixel-boxes.ts';
import type { ProblemList } from './problems.ts';

export class FileNotices {
  withoutTruth = 0;
  /** Samples with objects that their text does not place. */
  unplaced = 0;
  /** Keys of content parts that were left alone. */
  readonly ignoredKeys = new Set<string>();
  readonly pixelBoxes = new PixelBoxes();
  private repeatedIds: { id: string; place: ErrorPlace; first: ErrorPlace; count: number } | null = null;

  /** @param first where the id was used before */
  repeatedId(id: string, place: ErrorPlace, first: ErrorPlace): void {
    if (this.repeatedIds) this.repeatedIds.count++;
    else this.repeatedIds = { id, place, first, count: 1 };
  }

  report({ byNameOnly, ownSpeed }: MediaFinder, file: string, problems: ProblemList): void {
    const { repeatedIds, ignoredKeys, withoutTruth, unplaced } = this;
    const { suspicion } = this.pixelBoxes;
    if (repeatedIds) {
      const { id, place, first, count } = repeatedIds;
      problems.warning(
        `The id ${JSON.stringify(id.slice(0, 80))} was used before, by sample ${first.sample} of ${first.file}${count > 1 ? `; ${count} samples of this file have ids used before` : ''}.`,
        'Check whether samples were copied twice; all are kept.',
        { ...place, field: 'id' },
      );
    }
    if (suspicion) {
      const { boxes, above, largest } = suspicion;
      problems.warning(
        `All boxes looked at, ${boxes}, lie inside the pixel sizes of their images (at most ${largest.width} × ${largest.height}); ${above > 0 ? `${above} are above 1000` : 'thousandths of the image would hardly do so'}. They seem to count pixels.`,
        'Compare both readings in the data view and choose one; the file itself stays as it is.',
        { file },
      );
    }
    if (ignoredKeys.size > 0) {
      problems.warning(`${[...ignoredKeys].map((key) => JSON.stringify(key)).join(', ')} of images and videos were left alone.`, 'Sizes follow the model’s own settings and max_image_size.', { file });
    }
    if (ownSpeed > 0) {
      problems.warning(`${ownSpeed} video files come with an "fps" of their own, which was left alone.`, 'Clips are looked at as the model’s own settings say; give frames as a list to choose them yourself.', { file, field: 'fps' });
    }
    if (byNameOnly > 0) {
      problems.warning(
        `${byNameOnly} images or videos were found by their file name only; their folders differ from the paths in the file.`,
        'Check in the preview that samples show the right ones.',
        { file },
      );
    }
    if (withoutTruth > 0) {
      problems.warning(
        `${withoutTruth} samples have no true answer.`,
        'Rewards that compare with the truth cannot judge them: add a column "solution", or use rewards of your own.',
        { file, field: 'solution' },
      );
    }
    if (unplaced > 0) {
      problems.warning(
        `${unplaced} samples list objects that their text does not place.`,
        'Nothing was put in their place: write <ref-object> and <bbox> where they belong, or remove "objects".',
        { file, field: 'objects' },
      );
    }
  }
}
