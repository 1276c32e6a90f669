/**
 * Typed parts of a turn's content, in the spellings of OpenAI, TRL, Hugging Face processors, LLaMA-Factory and Qwen.
 *
 * A part that fills columns of other kinds with null, as tables do, is read by its type, or by what is not null.
 */
import * as v from 'valibot';
import { type Piece, splitAtPlaces } from './media-places.ts';
import { imageReference, isBlank, refuseCut, videoReference } from './media-reference.ts';
import { fault, shown } from './record-fault.ts';

export const partSchema = v.looseObject({ type: v.optional(v.nullable(v.string())) });
type Part = v.InferOutput<typeof partSchema>;

const TEXT_KEYS = ['text', 'value', 'content'] as const;
const IMAGE_KEYS = ['image', 'image_url', 'path', 'url', 'value', 'image_path'] as const;
const VIDEO_KEYS = ['video', 'video_url', 'path', 'url', 'value', 'video_path'] as const;
/** Wishes about sizes and numbers of frames: the model's own processor and max_image_size decide. */
const SIZE_KEYS = ['min_pixels', 'max_pixels', 'total_pixels', 'resized_height', 'resized_width', 'min_frames', 'max_frames', 'detail'] as const;

/**
 * What a part shows or says.
 * @param ignored takes the keys that were left alone
 * @throws LorikeetError "dataset" naming the field: a kind that is not understood, above all audio
 */
export function partPieces(part: Part, field: string, keepNewlines: boolean, ignored: Set<string>): Piece[] {
  const kind = kindOf(part, field);
  if (kind === 'text') {
    const key = TEXT_KEYS.find((name) => typeof part[name] === 'string' || typeof part[name] === 'number');
    if (key === undefined) throw fault('A text part has no "text".', 'Add it.', `${field}.text`);
    return splitAtPlaces(String(part[key]), keepNewlines, field);
  }
  for (const key of SIZE_KEYS) if (!isBlank(part[key])) ignored.add(key);
  const key = (kind === 'image' ? IMAGE_KEYS : VIDEO_KEYS).find((name) => !isBlank(part[name]));
  if (kind === 'video') refuseCut(part, field);
  if (key === undefined) {
    if (!isBlank(part.bytes)) throw fault('A part holds the bytes of its file.', 'Save them as a file, drop it too and give its path.', field);
    return [{ type: 'place', kind }];
  }
  const at = `${field}.${key}`;
  return [{ type: 'media', reference: kind === 'image' ? imageReference(part[key], at) : videoReference(part[key], at, part.sample_fps ?? part.fps) }];
}

function kindOf(part: Part, field: string): 'text' | 'image' | 'video' {
  const { type } = part;
  if (isBlank(type)) {
    const found = (['image', 'image_url', 'video', 'video_url', 'text'] as const).filter((name) => !isBlank(part[name]));
    if (found.length !== 1) throw fault('A part of the content has no type.', 'Give it the type text, image or video.', field);
    return found[0] === 'text' ? 'text' : found[0].startsWith('image') ? 'image' : 'video';
  }
  if (type === 'text' || type === 'input_text' || type === 'output_text') return 'text';
  if (type === 'image' || type === 'image_url') return 'image';
  if (type === 'video' || type === 'video_url') return 'video';
  throw fault(`Unknown kind of content ${shown(type!)}.`, 'Use text, image, image_url, video or video_url.', `${field}.type`);
}
