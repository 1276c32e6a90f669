/** Hands out the pictures and clips of one sample in the order in which its text shows them. */
import type { ContentPart } from '../processing/conversation.ts';
import type { ListedMedia } from './media-columns.ts';
import type { MediaKind, Piece } from './media-places.ts';
import { type MediaReference, pathsOf } from './media-reference.ts';
import { fault } from './record-fault.ts';

type MediaPart = Exclude<ContentPart, { type: 'text' }>;

const KINDS: readonly MediaKind[] = ['image', 'video'];
const MAX_MEDIA = 256;

/** One kind's share: what the record lists, and what the text does with it. */
class Kind {
  asked = 0;
  readonly numbers = new Set<number>();
  readonly named: MediaReference[] = [];

  constructor(readonly listed: readonly MediaReference[]) {}

  get placed(): number {
    return this.asked + this.numbers.size + this.named.length;
  }
}

export class MediaSlots {
  /** In order of appearance: what the conversation's indices count. */
  readonly media: MediaReference[] = [];
  private readonly kinds: Record<MediaKind, Kind>;

  constructor({ images, videos }: ListedMedia) {
    this.kinds = { image: new Kind(images), video: new Kind(videos) };
  }

  get anyPlaced(): boolean {
    return this.kinds.image.placed + this.kinds.video.placed > 0;
  }

  /** @throws LorikeetError "dataset" for a number that is used twice, or that no picture or clip has */
  part(piece: Exclude<Piece, { type: 'text' }>, field: string): MediaPart {
    if (piece.type === 'media') {
      const kind = piece.reference.kind === 'image' ? 'image' : 'video';
      this.kinds[kind].named.push(piece.reference);
      return this.add(kind, piece.reference);
    }
    const { kind, number } = piece;
    const own = this.kinds[kind];
    // The lack of one is found out at the end, with the whole number.
    if (number === undefined) return this.add(kind, own.listed[own.asked++]);
    const reference = own.listed[number - 1];
    if (!reference) throw fault(`The text shows ${kind} ${number}, the sample lists ${own.listed.length}.`, `Numbers count from 1: correct the text, or list the ${kind}.`, field);
    if (own.numbers.has(number)) throw fault(`The text shows ${kind} ${number} twice.`, `Write <${kind} ${number}> once, where it is to be seen, and plain words elsewhere.`, field);
    own.numbers.add(number);
    return this.add(kind, reference);
  }

  /** Everything listed, pictures first: where it goes when the text says nothing of places. */
  all(): MediaPart[] {
    return KINDS.flatMap((kind) => this.kinds[kind].listed.map(() => this.part({ type: 'place', kind }, kind)));
  }

  /** @throws LorikeetError "dataset" where places and lists disagree in number, or there are too many */
  checkAllUsed(): void {
    for (const kind of KINDS) {
      const { asked, numbers, named, listed } = this.kinds[kind];
      // Many sets list again what their parts name already.
      if (asked + numbers.size === 0 && sameFiles(named, listed)) continue;
      if (asked + numbers.size === listed.length && (asked === 0 || numbers.size === 0)) continue;
      if (asked > 0 && numbers.size > 0) throw fault(`The text mixes <${kind}> and <${kind} 1>.`, 'Write all of them in one way.', kind);
      throw fault(`The text places ${asked + numbers.size} ${kind}s, the sample lists ${listed.length}.`, `Write one <${kind}> for every ${kind}, or none to put them first.`, kind);
    }
    if (this.media.length > MAX_MEDIA) throw fault(`The sample has ${this.media.length} images and videos, at most ${MAX_MEDIA} are read.`, 'Split the sample.', 'image');
  }

  private add(type: MediaKind, reference: MediaReference | undefined): MediaPart {
    return { type, index: reference === undefined ? -1 : this.media.push(reference) - 1 };
  }
}

function sameFiles(a: readonly MediaReference[], b: readonly MediaReference[]): boolean {
  return a.length === b.length && a.every((reference, i) => pathsOf(reference).join('\n') === pathsOf(b[i]).join('\n'));
}
