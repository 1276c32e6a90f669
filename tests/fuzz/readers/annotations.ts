/** Exports of annotation tools and tables, spoilt: every image and row is used, or left out and counted. */
import { readDataset } from '../../../src/data/dataset.ts';
import type { PathFile } from '../../../src/protocol/messages.ts';
import { png } from '../../unit/processing/png.ts';
import { blobOf, encode } from '../examples.ts';
import { mutateBytes } from '../mutate/bytes.ts';
import { mutateJson } from '../mutate/json.ts';
import { mutateText } from '../mutate/text.ts';
import type { Random } from '../../../tools/random.ts';
import type { FuzzReader, Outcome } from '../reader.ts';

const PICTURE = blobOf(png({ width: 20, height: 10, colorType: 0, lines: Array.from({ length: 10 }, () => new Array<number>(21).fill(0)).flat() }));
const pictures: PathFile[] = ['a.png', 'b.png'].map((path) => ({ path, file: PICTURE }));
const size = { width: 20, height: 10 };

const COCO = {
  images: [{ id: 1, file_name: 'a.png', ...size }, { id: 2, file_name: 'b.png', ...size }],
  annotations: [{ image_id: 1, category_id: 3, bbox: [1, 1, 5, 5] }, { image_id: 2, category_id: 3, bbox: [0, 0, 20, 10], iscrowd: 0 }],
  categories: [{ id: 3, name: 'lid' }],
};
const region = { original_width: 20, original_height: 10, type: 'rectanglelabels', value: { x: 10, y: 10, width: 20, height: 20, rotation: 30, rectanglelabels: ['lid'] } };
const TASKS = [{ id: 1, data: { image: '/data/upload/a.png' }, annotations: [{ result: [region] }] }, { id: 2, data: { image: 'b.png' }, annotations: [{ result: [{ value: { choices: ['none'] } }] }] }];
const VOC = '<annotation><filename>a.png</filename><size><width>20</width><height>10</height></size><object><name>lid</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax></bndbox></object></annotation>';
const YOLO = '0 0.5 0.5 0.2 0.4\n1 0.1 0.1 0.2 0.1 0.2 0.2\n';
const NAMES = 'names:\n  0: lid\n  1: "pipe"\n';
const DETECTION = ['{"file_name":"a.png","width":20,"height":10,"objects":{"bbox":[[1,1,5,5],[3,2,17,3]],"categories":["lid","pipe"]}}', '{"file_name":"b.png","objects":[{"bbox":[0,0,20,10],"category":"lid"}]}'].join('\n');
const TABLE = 'question;answer;image\n"What; is it?";"A ""lid""";a.png\nAnd?;No;b.png\n';

interface Example {
  file: string;
  valid: string;
  others: PathFile[];
  /** Rows or images that a text of this kind holds; null where it cannot be told. */
  count(text: string): number | null;
  mutate(random: Random): string | Uint8Array<ArrayBuffer>;
}

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
};
const bytesOrText = (random: Random, text: string) => (random.chance(0.3) ? mutateBytes(random, encode(text)) : mutateText(random, text));

const EXAMPLES: Readonly<Record<string, Example>> = {
  coco: { file: 'train.json', valid: JSON.stringify(COCO), others: [], count: (text) => listIn(parsed(text), 'images'), mutate: (random) => mutateJson(random, COCO) },
  'label-studio': { file: 'export.json', valid: JSON.stringify(TASKS), others: [], count: (text) => listIn({ tasks: parsed(text) }, 'tasks'), mutate: (random) => mutateJson(random, TASKS) },
  voc: { file: 'a.xml', valid: VOC, others: [], count: () => null, mutate: (random) => bytesOrText(random, VOC) },
  yolo: { file: 'a.txt', valid: YOLO, others: [{ path: 'data.yaml', file: blobOf(NAMES) }], count: () => null, mutate: (random) => bytesOrText(random, YOLO) },
  'yolo-names': { file: 'data.yaml', valid: NAMES, others: [{ path: 'a.txt', file: blobOf(YOLO) }], count: () => null, mutate: (random) => bytesOrText(random, NAMES) },
  'hugging-face': { file: 'metadata.jsonl', valid: DETECTION, others: [], count: (text) => text.split('\n').filter((line) => line.trim() !== '').length, mutate: (random) => bytesOrText(random, DETECTION) },
  table: { file: 'rows.csv', valid: TABLE, others: [], count: () => null, mutate: (random) => bytesOrText(random, TABLE) },
};

export const annotationReaders: FuzzReader[] = Object.entries(EXAMPLES).map(([name, example]) => ({
  name: `annotations-${name}`,
  share: 3,
  prepare: async () => {
    const valid = await read(example, example.valid);
    if (valid.train.length !== (name === 'voc' ? 1 : 2) || valid.errorCount > 0) throw new Error(`the valid example is not read: ${JSON.stringify(valid.problems)}`);
    return async (random): Promise<Outcome> => {
      const content = example.mutate(random);
      const set = await read(example, content);
      const used = set.train.length + set.validation.length;
      if (set.problemCount === 0 && (used === 0 || set.rejected > 0)) return `wrong: ${used} used, ${set.rejected} left out, nothing said`;
      const given = typeof content === 'string' ? example.count(content) : null;
      if (given !== null && used > 0 && used + set.rejected !== given) return `wrong: ${used} used and ${set.rejected} left out of ${given}`;
      for (const { conversation } of set.train) if (JSON.stringify(conversation).includes('<bbox>')) return 'wrong: a place was left unfilled';
      return set.problemCount > 0 ? 'told' : 'read';
    };
  },
}));

function read({ file, others }: Example, content: string | Uint8Array<ArrayBuffer>): ReturnType<typeof readDataset> {
  return readDataset({ train: [{ path: file, file: blobOf(content) }, ...others, ...pictures], validation: [] }, { kind: 'conversations', validationSplit: 0, seed: 1 });
}

function listIn(value: unknown, name: string): number | null {
  const list = typeof value === 'object' && value !== null && Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : null;
  return Array.isArray(list) ? list.length : null;
}
