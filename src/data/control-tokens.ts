/** Tokens by which chat templates mark turns and media: in a dataset's text they would cut answers or shift what is learnt. */
import { fault } from './record-fault.ts';

const TURN = /<\|(?:im_start|im_end|endoftext)\|>/;
/** Between whole places they would stand for media that nobody gave. */
const MEDIA = /<\|(?:vision_start|vision_end|vision_pad|image_pad|video_pad)\|>/;

/** @throws LorikeetError "dataset" naming the field and the token */
export function refuseControlTokens(text: string, field: string): void {
  const turn = TURN.exec(text);
  if (turn) throw fault(`The text holds ${turn[0]}, with which the chat template begins and ends turns: answers would be cut there.`, 'Remove it; the template writes it itself.', field);
  const media = MEDIA.exec(text);
  if (media) throw fault(`The text holds ${media[0]}, which is not understood and would be learnt as text.`, 'Write <image> or <video> where the picture or clip goes.', field);
}
