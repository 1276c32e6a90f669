/**
 * ms-swift's grounding placeholders: `<ref-object>` and `<bbox>` in the text, replaced in order from the record's `objects`.
 *
 * Boxes become thousandths of their image, Qwen3-VL's own convention, or pixels of the picture as the model sees it,
 * Qwen2.5-VL's. Where the text is JSON around them
 * (`"bbox_2d": <bbox>`) they are written as lists and references as plain words; elsewhere in Qwen's tags.
 * As in ms-swift's docs/source_en/Customization/Custom-dataset.md and its template for Qwen-VL.
 */
import * as v from 'valibot';
import { type Conversation, type Message, messageText } from '../processing/conversation.ts';
import { type ImageSize, roundHalfToEven } from '../processing/smart-resize.ts';
import { refuseControlTokens } from './control-tokens.ts';
import { fault, parseRecord } from './record-fault.ts';

const list = <S extends v.GenericSchema>(entry: S) => v.optional(v.nullable(v.array(entry)));
const objectsSchema = v.object({
  objects: v.object({
    ref: list(v.string()),
    bbox: list(v.array(v.pipe(v.number(), v.finite()))),
    bbox_type: v.optional(v.nullable(v.picklist(['real', 'norm1']))),
    image_id: list(v.pipe(v.number(), v.integer(), v.minValue(0))),
  }),
});
type Objects = v.InferOutput<typeof objectsSchema>['objects'];

/** A box that is written out between the tags is no place for one. */
const PLACE = /<ref-object>|<bbox>(?![^<]{0,200}<\/bbox>)/g;
const WHOLE: ImageSize = { width: 1, height: 1 };
const IN_JSON = /"\s{0,8}:\s{0,8}\[?\s{0,8}<bbox>/;

export interface Grounded {
  conversation: Conversation;
  rejected?: Message;
  /**
   * "placed": `objects` was used up. "partly": a question without its answer, which took what it places.
   * "unused": objects in this form are listed, but the text places none. "none": nothing of the kind.
   */
  objects: 'placed' | 'partly' | 'unused' | 'none';
}

/** Sizes of a sample's images by their index, from 0; undefined where there is no such image. */
export interface GroundingSizes {
  /** Upright, as the file has it. */
  stored(image: number): Promise<ImageSize> | undefined;
  /** As the model sees a picture of a size, where boxes are written in its pixels; null where they are thousandths. */
  seen: ((stored: ImageSize) => ImageSize) | null | undefined;
}

/**
 * Fills the placeholders of a sample.
 * @param record as it was read, with or without `objects`
 * @throws LorikeetError "dataset" naming the field: counts that differ, a box of an unknown form, outside its image or without area
 */
export async function placeObjects(record: unknown, sample: { conversation: Conversation; rejected?: Message }, sizes: GroundingSizes): Promise<Grounded> {
  const { conversation, rejected } = sample;
  const texts = [...conversation, ...(rejected ? [rejected] : [])].map(messageText).join('\n');
  if (texts.search(PLACE) < 0) return { ...sample, objects: listsObjects(record) ? 'unused' : 'none' };
  if (typeof record !== 'object' || record === null || !Object.hasOwn(record, 'objects')) {
    throw fault(`The text places ${texts.match(PLACE)!.length} objects, the sample lists none.`, 'Add "objects" with "ref" and "bbox", or write the words and boxes out.', 'objects');
  }
  const { objects } = parseRecord(objectsSchema, record);
  const asJson = IN_JSON.test(texts);
  for (const [i, ref] of (objects.ref ?? []).entries()) refuseControlTokens(ref, `objects.ref.${i}`);
  const words = (objects.ref ?? []).map((ref) => (asJson ? ref : `<|object_ref_start|>${ref}<|object_ref_end|>`));
  const boxes: string[] = [];
  for (const i of (objects.bbox ?? []).keys()) boxes.push(boxText(await inUnit(objects, i, sizes), asJson));
  const fill = new Filler(words, boxes);
  const answered = conversation.at(-1)?.role === 'assistant';
  const prompt = conversation.slice(0, -1).map((message) => fill.message(message));
  const before = fill.at;
  const last = fill.message(conversation[conversation.length - 1]);
  fill.check(answered);
  const { at } = fill;
  const partly = at.words < words.length || at.boxes < boxes.length;
  if (!rejected) return { conversation: [...prompt, last], objects: partly ? 'partly' : 'placed' };
  fill.at = before;
  const other = fill.message(rejected);
  // Wrong on purpose, it may well leave objects out.
  fill.check(false, 'rejected');
  return { conversation: [...prompt, last], rejected: other, objects: 'placed' };
}

/** Whether the record's `objects` are of this kind: such a column may also be anything else. */
function listsObjects(record: unknown): boolean {
  const parsed = v.safeParse(objectsSchema, record);
  return parsed.success && (parsed.output.objects.ref ?? []).length + (parsed.output.objects.bbox ?? []).length > 0;
}

async function inUnit({ bbox, bbox_type, image_id }: Objects, i: number, { stored, seen }: GroundingSizes): Promise<number[]> {
  const field = `objects.bbox.${i}`;
  const box = bbox![i];
  if (box.length !== 2 && box.length !== 4) throw fault(`Box ${i + 1} has ${box.length} numbers.`, 'Give x1, y1, x2, y2, or x and y of a point.', field);
  const image = image_id?.[i] ?? 0;
  const picture = bbox_type === 'norm1' && seen === null ? WHOLE : await stored(image);
  if (!picture) throw fault(`Box ${i + 1} belongs to image ${image + 1}, which the sample has not.`, 'Correct "objects.image_id", which counts from 0, or add the image.', image_id?.[i] === undefined ? field : `objects.image_id.${i}`);
  if (seen === undefined) throw fault('Boxes are to be written in pixels of the picture as the model sees it, and no model is loaded.', 'Load the model first.', field);
  const size = bbox_type === 'norm1' ? WHOLE : picture;
  if (box.some((x, at) => x < 0 || x > (at % 2 === 0 ? size.width : size.height))) {
    throw fault(`Box ${i + 1}, ${box.join(', ')}, lies outside its image of ${size.width} × ${size.height}.`, 'Give pixels of the stored image, or shares of it with "bbox_type": "norm1".', field);
  }
  const target = seen ? seen(picture) : { width: 1000, height: 1000 };
  const scaled = box.map((x, at) => (at % 2 === 0 ? roundHalfToEven((x / size.width) * target.width) : roundHalfToEven((x / size.height) * target.height)));
  if (scaled.length === 4 && (scaled[2] <= scaled[0] || scaled[3] <= scaled[1])) {
    throw fault(`Box ${i + 1}, ${box.join(', ')}, has no area at the size the model sees.`, 'x2 must be above x1 and y2 above y1. Correct or remove the box.', field);
  }
  return scaled;
}

function boxText(box: readonly number[], asJson: boolean): string {
  if (asJson) return `[${box.join(', ')}]`;
  const [x1, y1, ...end] = box;
  return `<|box_start|>(${x1},${y1})${end.length > 0 ? `,(${end.join(',')})` : ''}<|box_end|>`;
}

/** Goes through the messages and hands out words and boxes in order; asking for more is found out by `check`. */
class Filler {
  at = { words: 0, boxes: 0 };

  constructor(
    private readonly words: readonly string[],
    private readonly boxes: readonly string[],
  ) {}

  message({ content, ...message }: Message): Message {
    return { ...message, content: content.map((part) => (part.type === 'text' ? { type: 'text', text: this.text(part.text) } : part)) };
  }

  private text(text: string): string {
    const at = { ...this.at };
    const filled = text.replace(PLACE, (place, offset: number) => {
      if (place === '<bbox>') return this.boxes[at.boxes++] ?? place;
      const word = this.words[at.words++] ?? place;
      // Between quotation marks it is part of JSON, which quotation marks of its own would break.
      return text[offset - 1] === '"' && text[offset + place.length] === '"' ? JSON.stringify(word).slice(1, -1) : word;
    });
    this.at = at;
    return filled;
  }

  /** @param all whether everything listed must have been placed */
  check(all: boolean, side?: 'rejected'): void {
    const counts = [
      ['<ref-object>', 'objects.ref', this.at.words, this.words.length],
      ['<bbox>', 'objects.bbox', this.at.boxes, this.boxes.length],
    ] as const;
    for (const [place, field, placed, listed] of counts) {
      if (placed <= listed && (!all || placed === listed)) continue;
      throw fault(
        `${side ? 'The rejected side: the' : 'The'} text has ${placed} ${place}, "${field}" lists ${listed}.`,
        `Write one ${place} for every entry, in the same order.`,
        side ?? field,
      );
    }
  }
}
