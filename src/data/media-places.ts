/**
 * Places of pictures and clips in a text, as datasets spell them: `<image>` and `<video>` (LLaVA, LLaMA-Factory,
 * ms-swift), `<img>path</img>` (the first Qwen-VL), `<image 1>` (MMMU), `<image-placeholder>` (LLaVA's model code) and
 * the tokens that Qwen's chat templates write themselves.
 */
import { imageReference, type MediaReference, videoReference } from './media-reference.ts';
import { refuseControlTokens } from './control-tokens.ts';
import { fault } from './record-fault.ts';

export type MediaKind = 'image' | 'video';

/** Part of a turn: text, a place for the next picture or clip of the record's list (or the one with this number, from 1), or one named on the spot. */
export type Piece = { type: 'text'; text: string } | { type: 'place'; kind: MediaKind; number?: number } | { type: 'media'; reference: MediaReference };

/** One line break on either side belongs to the tag. */
const PLACE =
  /\n?(?:<(img|image|video)>([^<>\n]{1,1024})<\/\1>|<\|vision_start\|><\|(image|video)_pad\|><\|vision_end\|>|<(image|video)(?:-placeholder)?>|<(image|video)[ _]?(\d{1,3})>)\n?/gi;
/** Media that no model here can hear or see. */
const FOREIGN = /<(?:audio|speech|sound)(?:-placeholder)?>|<\|audio[\w|]{0,20}>|<audio>[^<>\n]{1,1024}<\/audio>/i;

/**
 * Cuts a text at its places.
 * @param keepNewlines leaves the line breaks around a place in the text
 * @throws LorikeetError "dataset" for places of media that cannot be trained on, and for stray tokens
 */
export function splitAtPlaces(text: string, keepNewlines: boolean, field: string): Piece[] {
  if (!text.includes('<')) return text === '' ? [] : [{ type: 'text', text }];
  const pieces: Piece[] = [];
  const addText = (from: number, to?: number) => {
    const piece = text.slice(from, to);
    const foreign = FOREIGN.exec(piece);
    if (foreign) throw fault(`The text holds ${foreign[0].slice(0, 40)}, which is not understood and would be learnt as text.`, 'Leave the sample out: pictures and video are what these models take.', field);
    refuseControlTokens(piece, field);
    if (piece !== '') pieces.push({ type: 'text', text: piece });
  };
  let from = 0;
  for (const match of text.matchAll(PLACE)) {
    const [whole, tag, path, token, plain, numbered, number] = match;
    const before = keepNewlines && whole.startsWith('\n') ? 1 : 0;
    addText(from, match.index + before);
    const kind = (tag ?? token ?? plain ?? numbered).toLowerCase() === 'video' ? 'video' : 'image';
    if (path !== undefined) pieces.push({ type: 'media', reference: kind === 'video' ? videoReference(path, field) : imageReference(path, field) });
    else pieces.push({ type: 'place', kind, ...(number !== undefined && { number: Number(number) }) });
    from = match.index + whole.length - (keepNewlines && whole.endsWith('\n') ? 1 : 0);
  }
  addText(from);
  return pieces;
}

/** Whether a text says itself where media go. */
export function hasPlaces(text: string): boolean {
  return text.includes('<') && text.search(PLACE) >= 0;
}
