/** Images, tokens, chat template, labels and positions against transformers' processors. */
import { readArchitecture } from '../../src/checkpoint/model-config.ts';
import { LorikeetError } from '../../src/protocol/errors.ts';
import type { Conversation } from '../../src/processing/conversation.ts';
import { decodeImage } from '../../src/processing/decode-image.ts';
import { patchify } from '../../src/processing/patchify.ts';
import { Processor } from '../../src/processing/processor.ts';
import type { Media } from '../../src/protocol/media.ts';
import type { PathFile } from '../../src/protocol/messages.ts';
import type { SampleInput } from '../../src/processing/processor.ts';
import { resizeBicubic } from '../../src/processing/resample.ts';
import { smartResize } from '../../src/processing/smart-resize.ts';
import { compare, compareText, EXACT } from './check.ts';
import type { CheckResult } from './check.ts';
import type { Folder, Json } from './folder.ts';

type Report = (check: CheckResult) => void;

const ENCODING = { maxLength: 1_000_000, maxImageSize: 0, assistantTurns: 'all' } as const;

/** The processor of a checkpoint folder inside the folder under test. */
export async function openProcessor(folder: Folder, checkpoint: string): Promise<Processor> {
  const read = (name: string) => folder.text(`${checkpoint}/${name}`);
  return Processor.fromFiles(read, readArchitecture((await read('config.json')) ?? '', `${checkpoint}/config.json`));
}

/** Hugging Face messages as our conversation, and the pictures and clips that it names, in order. */
function toConversation(messages: Json[]): { conversation: Conversation; media: { type: 'image' | 'video'; name: string }[] } {
  const media: { type: 'image' | 'video'; name: string }[] = [];
  const part = (item: Json) => (item.type === 'text' ? { type: 'text', text: item.text } : { type: item.type, index: media.push({ type: item.type, name: item[item.type] }) - 1 });
  const conversation = messages.map(({ role, content, reasoning_content }) => ({
    role,
    ...(reasoning_content === undefined ? {} : { reasoning: reasoning_content }),
    content: typeof content === 'string' ? [{ type: 'text', text: content }] : content.map(part),
  })) as Conversation;
  return { conversation, media };
}

/**
 * Hugging Face messages as our conversation with its pictures and clips.
 * @param images folder that the messages' image names are relative to
 * @param clips that messages call by name
 */
export async function toSample(folder: Folder, images: string, messages: Json[], id: string, clips: ReadonlyMap<string, Media<PathFile>> = new Map()): Promise<SampleInput> {
  const picture = async (path: string): Promise<Media<PathFile>> => ({ kind: 'image', file: { path, file: await folder.blob(`${images}/${path}`) } });
  const clip = (name: string): Promise<Media<PathFile>> => {
    const found = clips.get(name);
    return found ? Promise.resolve(found) : Promise.reject(new Error(`There is no clip ${name}.`));
  };
  const { conversation, media } = toConversation(messages);
  return { id, conversation, media: await Promise.all(media.map(({ type, name }) => (type === 'image' ? picture(name) : clip(name)))) };
}

/** Target sizes, resized pixels, pixel values and grids. */
export async function checkImages(folder: Folder, report: Report): Promise<void> {
  if (folder.has('images/smart_resize.json')) {
    const { cases } = await folder.json('images/smart_resize.json');
    const ours = (cases as Json[]).flatMap((c) => {
      try {
        const { height, width } = smartResize(c.height, c.width, { factor: c.factor, minPixels: c.min_pixels, maxPixels: c.max_pixels });
        return [height, width];
      } catch (error) {
        if (error instanceof LorikeetError) return [0, 0];
        throw error;
      }
    });
    report(compare('images/smart_resize', ours, (cases as Json[]).flatMap((c) => c.resized ?? [0, 0]), EXACT));
  }
  if (!folder.has('images/pixel_values.safetensors')) return;
  const { preprocessor } = await openProcessor(folder, 'checkpoint');
  const expected = await folder.tensors('images/pixel_values.safetensors');
  const { images, torchvision_grid_thw } = await folder.json('images/images.json');
  for (const [name, { resized_height, resized_width }] of Object.entries(images as Record<string, Json>)) {
    const resized = resizeBicubic(await decodeImage(await folder.blob(`images/${name}`), name), resized_height, resized_width);
    report(compare(`images/${name}/resized`, resized.pixels, await expected.bytes(`${name}.torchvision_resized_u8`), EXACT));
    const { pixelValues, grid } = patchify(resized, preprocessor);
    report(compare(`images/${name}/grid`, grid, torchvision_grid_thw[name], EXACT));
    report(compare(`images/${name}/pixel_values`, pixelValues, await expected.floats(`${name}.torchvision`), { measure: 'abs', tolerance: 1e-6 }));
  }
}

/** Tokenizer and chat template. */
export async function checkText(folder: Folder, report: Report): Promise<void> {
  if (!folder.has('cases/tokenizer.json') && !folder.has('cases/chat_template.json')) return;
  const processor = await openProcessor(folder, 'checkpoint');
  if (folder.has('cases/tokenizer.json')) {
    for (const [index, { text, ids, decoded, decoded_skip_special }] of ((await folder.json('cases/tokenizer.json')).cases as Json[]).entries()) {
      const name = `tokenizer/${index}`;
      if (ids.length > 0) report(compare(`${name}/ids`, processor.tokenizer.encode(text), ids, EXACT));
      report(compareText(`${name}/decoded`, processor.tokenizer.decode(ids), decoded));
      report(compareText(`${name}/decoded_skip_special`, processor.tokenizer.decode(ids, { skipSpecial: true }), decoded_skip_special));
    }
  }
  if (folder.has('cases/chat_template.json')) {
    for (const [index, { messages, add_generation_prompt, enable_thinking, rendered_text }] of ((await folder.json('cases/chat_template.json')).cases as Json[]).entries()) {
      const { conversation } = toConversation(messages);
      const rendered = processor.template.render(conversation, { addGenerationPrompt: add_generation_prompt, enableThinking: enable_thinking });
      report(compareText(`chat_template/${index}`, rendered, rendered_text));
    }
  }
}

/** Token ids, labels, positions and grids of whole samples. */
export async function checkSamples(folder: Folder, report: Report): Promise<void> {
  const cases = folder.list('cases/').filter((path) => path.endsWith('.json'));
  if (cases.length === 0) return;
  const processor = await openProcessor(folder, 'checkpoint');
  if (folder.has('cases/samples.json')) {
    for (const [name, expected] of Object.entries((await folder.json('cases/samples.json')) as Record<string, Json>)) {
      const encoded = await processor.encodeSample(await toSample(folder, 'images', expected.messages, name), ENCODING);
      report(compare(`samples/${name}/input_ids`, encoded.inputIds, expected.input_ids, EXACT));
      report(compare(`samples/${name}/labels`, encoded.labels, expected.labels, EXACT));
      if (!expected.labels_with_think_prefix) continue;
      const prefixed = await processor.encodeSample(await toSample(folder, 'images', expected.messages, name), { ...ENCODING, labelsWithThinkPrefix: true });
      report(compare(`samples/${name}/labels_with_think_prefix`, prefixed.labels, expected.labels_with_think_prefix, EXACT));
    }
  }
  for (const path of cases) {
    const expected = await folder.json(path);
    if (!expected.position_ids || !expected.messages) continue;
    const name = `forward/${path.slice('cases/'.length, -'.json'.length)}`;
    const grids: number[][] = [];
    for (const [row, messages] of (expected.messages as Json[][]).entries()) {
      const encoded = await processor.encodeSample(await toSample(folder, 'images', messages, name), ENCODING);
      const real = (values: number[]) => values.filter((_, t) => expected.attention_mask[row][t] === 1);
      report(compare(`${name}/row_${row}/input_ids`, encoded.inputIds, real(expected.input_ids[row]), EXACT));
      report(compare(`${name}/row_${row}/labels`, encoded.labels, real(expected.labels[row]), EXACT));
      report(compare(`${name}/row_${row}/position_ids`, encoded.positionIds, [0, 1, 2].flatMap((axis) => real(expected.position_ids[axis][row])), EXACT));
      report(compare(`${name}/row_${row}/rope_delta`, [encoded.ropeDelta], [expected.rope_deltas.flat()[row]], EXACT));
      grids.push(...encoded.media.map(({ grid }) => [...grid]));
    }
    if (expected.image_grid_thw?.length > 0) report(compare(`${name}/image_grid_thw`, grids.flat(), expected.image_grid_thw.flat(), EXACT));
  }
}
