/** Samples as the rows of TRL's conversational datasets: messages, or prompt, chosen and rejected, with their pictures beside them. */
import type { Dataset, DatasetSample } from '../data/dataset.ts';
import { answerOf, mediaOrder, promptOf, type Message } from '../processing/conversation.ts';
import { LorikeetError } from '../protocol/errors.ts';
import type { PathFile } from '../protocol/messages.ts';

interface RowMessage {
  role: Message['role'];
  reasoning_content?: string;
  content: ({ type: 'text'; text: string } | { type: 'image' })[];
  /** False where the dataset says that the answer is not to be learnt. */
  loss?: false;
}

export interface RecordFiles {
  /** JSONL of each split. */
  train: string;
  validation: string;
  /** Every picture in use once, under a name of our own: theirs may be anything. */
  pictures: PathFile[];
}

/**
 * Writes both splits.
 * @throws LorikeetError "video" for clips: other programs sample their frames by rules of their own
 */
export function recordFiles({ kind, train, validation }: Pick<Dataset, 'kind' | 'train' | 'validation'>): RecordFiles {
  const names = new Map<PathFile, string>();
  const nameOf = (file: PathFile): string => {
    const known = names.get(file);
    if (known !== undefined) return known;
    const name = `images/${String(names.size + 1).padStart(6, '0')}.${endingOf(file.path)}`;
    names.set(file, name);
    return name;
  };
  const lines = (samples: readonly DatasetSample[]) => samples.map((sample) => `${JSON.stringify(rowOf(sample, kind, nameOf))}\n`).join('');
  const files = { train: lines(train), validation: lines(validation) };
  return { ...files, pictures: [...names].map(([{ file }, path]) => ({ path, file })) };
}

function rowOf(sample: DatasetSample, kind: Dataset['kind'], nameOf: (file: PathFile) => string): Record<string, unknown> {
  const images = mediaOrder(sample.conversation).map((i) => {
    const medium = sample.media[i];
    if (medium.kind === 'image') return nameOf(medium.file);
    throw new LorikeetError('video', `Sample ${sample.id} has a clip.`, 'Runs on clips cannot be taken elsewhere: other programs sample frames by rules of their own. Train on pictures, or go on here.', sample.place);
  });
  const prompt = promptOf(sample.conversation).map(messageOf);
  if (kind === 'conversations') return { id: sample.id, messages: sample.conversation.map(messageOf), images };
  if (kind === 'prompts') return { id: sample.id, prompt, images, solution: answerOf(sample.conversation), extra: sample.extra ?? {} };
  const chosen = sample.conversation.slice(prompt.length).map(messageOf);
  return { id: sample.id, prompt, chosen, rejected: sample.rejected ? [messageOf(sample.rejected)] : [], images };
}

function messageOf({ role, reasoning, content, learnt }: Message): RowMessage {
  return {
    role,
    ...(reasoning !== undefined && { reasoning_content: reasoning }),
    content: content.map((part) => (part.type === 'text' ? { type: 'text', text: part.text } : { type: 'image' })),
    ...(learnt === false && { loss: false }),
  };
}

/** The ending of a name where it is a plain one: Pillow looks at contents, people at names. */
function endingOf(path: string): string {
  return /\.([A-Za-z0-9]{1,5})$/.exec(path)?.[1].toLowerCase() ?? 'img';
}
