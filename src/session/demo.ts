/** The built-in model and dataset, fetched from beside the page. */
import { UrlFileSource } from '../checkpoint/file-source.ts';
import type { DatasetKind } from '../data/dataset.ts';
import type { DatasetSource, PathFile } from '../protocol/messages.ts';

const MODEL_FILES = [
  'config.json',
  'model.safetensors',
  'tokenizer.json',
  'tokenizer_config.json',
  'chat_template.json',
  'preprocessor_config.json',
  'video_preprocessor_config.json',
  'generation_config.json',
];
/** Which files hold the samples of each kind. */
const DEMO_RECORDS: Readonly<Record<DatasetKind, readonly [train: string, validation: string]>> = {
  conversations: ['sft_train.json', 'sft_val.json'],
  preference: ['dpo_train.json', 'dpo_val.json'],
  prompts: ['sft_train.json', 'sft_val.json'],
};
const PARALLEL = 8;

/** Which of the built-in sets: that of clips, or that of pictures where left out. */
type DemoSet = Extract<DatasetSource, { kind: 'demo' }>['set'];

/** Names of the files with the samples. Of clips there are no pairs: they are made from the answers. */
export function demoRecords(set: DemoSet, kind: DatasetKind): readonly [train: string, validation: string] {
  return DEMO_RECORDS[set === 'video' ? 'conversations' : kind];
}

/** Folder of a set, inside the demo's. */
export function demoFolder(set: DemoSet): string {
  return set === 'video' ? 'video' : 'data';
}

/** @param demoUrl address of the demo folder */
export function demoModel(demoUrl: string): UrlFileSource {
  return new UrlFileSource(new URL('model', demoUrl).href, MODEL_FILES);
}

/**
 * Fetches the demo's training and validation samples with their images or frames.
 * @throws LorikeetError "file-missing"
 */
export async function demoDataset(
  demoUrl: string,
  set: DemoSet,
  kind: DatasetKind,
  onProgress: (done: number, total: number) => void,
): Promise<{ train: PathFile[]; validation: PathFile[] }> {
  const base = new URL(demoFolder(set), demoUrl).href;
  const fetchAll = async (paths: readonly string[], done: (count: number) => void): Promise<PathFile[]> => {
    const source = new UrlFileSource(base, paths);
    const files = new Array<PathFile>(paths.length);
    let next = 0;
    const worker = async () => {
      while (next < paths.length) {
        const i = next++;
        files[i] = { path: paths[i], file: await source.blob(paths[i]) };
        done(i);
      }
    };
    await Promise.all(Array.from({ length: Math.min(PARALLEL, paths.length) }, worker));
    return files;
  };
  const [train, validation] = await fetchAll(demoRecords(set, kind), () => undefined);
  const trainImages = await imagePaths(train.file);
  const validationImages = (await imagePaths(validation.file)).filter((path) => !trainImages.includes(path));
  const total = trainImages.length + validationImages.length;
  let count = 0;
  const step = () => onProgress(++count, total);
  return {
    train: [train, ...(await fetchAll(trainImages, step))],
    validation: [validation, ...(await fetchAll(validationImages, step))],
  };
}

async function imagePaths(records: Blob): Promise<string[]> {
  const samples = JSON.parse(await records.text()) as { image?: string; video?: string[] }[];
  return [...new Set(samples.flatMap(({ image, video }) => image ?? video ?? []))];
}
