/** Small inputs of the kind that people bring, and what is right for each. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type DatasetKind, type DatasetSample, readDataset } from '../../../src/data/dataset.ts';
import { ProblemList } from '../../../src/data/problems.ts';
import { TurnedImages } from '../../../src/data/turned-images.ts';
import { CVAT_DEFAULTS, importCvat } from '../../../src/data/cvat.ts';
import { cvatFiles } from '../../../src/data/cvat-drop.ts';
import { messageText } from '../../../src/processing/conversation.ts';
import { filesOf } from '../../../src/protocol/media.ts';
import type { PathFile } from '../../../src/protocol/messages.ts';

const ROOT = new URL('../../fixtures/cases/', import.meta.url);

function filesIn(folder: string): PathFile[] {
  const list = (path: string): string[] => readdirSync(new URL(path, ROOT)).flatMap((name) => (statSync(new URL(`${path}/${name}`, ROOT)).isDirectory() ? list(`${path}/${name}`) : [`${path}/${name}`]));
  return list(folder).map((path) => ({ path: path.slice(folder.length + 1), file: new Blob([readFileSync(new URL(path, ROOT))]) }));
}

const read = (folder: string, kind: DatasetKind = 'conversations') => readDataset({ train: filesIn(folder), validation: [] }, { kind, validationSplit: 0, seed: 1 });
/** A sample as text with its media in place. */
const shown = ({ conversation, media }: DatasetSample) =>
  conversation.map(({ role, content }) => `${role}: ${content.map((part) => (part.type === 'text' ? part.text : `[${media[part.index].kind} ${filesOf(media[part.index]).map(({ path }) => path).join(',')}]`)).join('')}`);
const faults = ({ problems }: Awaited<ReturnType<typeof read>>) => problems.map(({ level, sample, field, message }) => [level, sample, field, message]);

const QUESTION = 'Which parts are damaged?';
const ANSWER = 'assistant: A red cover and a green pipe.';
const ASKED = [`user: [image a.png]${QUESTION}`, ANSWER];

describe('videos', () => {
  it('in all three layouts, beside a picture', async () => {
    const dataset = await read('03-video-rows');
    const clip = ['user: [video sample1.mp4]What moves?', 'assistant: A crane.'];
    expect(dataset.train.map(shown)).toEqual([clip, clip, clip, [`user: [image f1.png]${QUESTION}`, ANSWER]]);
    expect([dataset.images, dataset.videos, dataset.rejected]).toEqual([1, 1, 0]);
    expect(faults(dataset)).toEqual([['warning', undefined, 'fps', expect.stringContaining('1 video files come with an "fps"')]]);
  });
});

describe('images', () => {
  it('by the tags of other tools are used', async () => {
    const dataset = await read('13-qwen-vl-img-tags');
    expect(dataset.train.map((sample) => shown(sample)[0])).toEqual([`user: Picture 1: [image a.png]${QUESTION}`, ...Array<string>(4).fill(`user: [image a.png]${QUESTION}`)]);
    expect(dataset.problems).toEqual([]);
  });

  it('in empty fields are none; other columns are used, and what cannot be meant is refused', async () => {
    const dataset = await read('18-empty-image-fields');
    const seen = Object.fromEntries(dataset.train.map((sample) => [sample.id, sample.media.length]));
    expect(seen).toEqual({ empty: 0, emptylist: 0, 'emptystr-in-list': 0, 'null-in-list': 0, both: 1, 'both-null': 1, image_path: 1, img: 1, file_name: 1 });
    expect(faults(dataset)).toEqual([
      ['error', 7, 'image', 'The image None is not among the dropped files.'],
      ['error', 8, 'images.0', expect.stringMatching(/expected the path of a file but received a list/)],
      ['error', 9, 'image', 'The image a.png;a.png is not among the dropped files.'],
    ]);
    expect(dataset.problems.map(({ advice }) => advice)).toEqual([expect.stringContaining('write null'), expect.any(String), expect.stringContaining('as a list')]);
  });

  it('in parts of every spelling', async () => {
    const dataset = await read('04b-trl-messages-parts');
    expect(dataset.problems).toEqual([]);
    expect(dataset.train.map((sample) => shown(sample).slice(-2))).toEqual(Array(10).fill(ASKED));
  });
});

describe('layouts', () => {
  it.each([
    ['04-trl-prompt-completion', 1],
    ['05-vqa-columns', 3],
  ])('%s', async (folder, count) => {
    const dataset = await read(folder);
    expect(dataset.problems).toEqual([]);
    expect(dataset.train.map(shown)).toEqual(Array(count).fill(ASKED));
  });

  it('of query and response, rounds, prefix and suffix', async () => {
    const dataset = await read('05b-query-response');
    expect(dataset.problems).toEqual([]);
    expect(dataset.train.map(shown)).toEqual([ASKED, ['system: Be short', ...ASKED], ['user: [image a.png]detect damage', 'assistant: <loc0100><loc0100><loc0400><loc0300> cover']]);
  });

  it('of preference pairs', async () => {
    const dataset = await read('14-dpo-forms', 'preference');
    expect(dataset.train.map(({ id }) => id)).toEqual(['lf-v', '2u1', 'rlaif-v', 'lf-v1', 'swift', 'swift-list', 'trl', 'alpaca-dpo', 'open-ai']);
    for (const sample of dataset.train) {
      expect(shown(sample)).toEqual(sample.media.length > 0 ? ASKED : [`user: ${QUESTION}`, ANSWER]);
      expect(messageText(sample.rejected!)).toBe('None.');
    }
    expect(faults(dataset)).toEqual([
      ['error', 10, 'rejected_images', expect.stringMatching(/different images/)],
      ['error', 11, 'label', expect.stringMatching(/KTO, which is not supported/)],
    ]);
  });

  it('that nobody knows are named once, with their columns', async () => {
    const file = new Blob([JSON.stringify([{ frage: 'a', antwort: 'b' }, { frage: 'c', bild: 'x' }])]);
    const dataset = await readDataset({ train: [{ path: 'a.json', file }], validation: [] }, { kind: 'conversations', validationSplit: 0, seed: 1 });
    expect(dataset.rejected).toBe(2);
    expect(faults(dataset)).toEqual([['error', undefined, undefined, 'The layout of the file is not known: its 2 samples have the columns "frage", "antwort", "bild".']]);
  });
});

describe('what a turn says of itself', () => {
  it('is honoured: turns not to be learnt, other methods refused by name', async () => {
    const dataset = await read('12-loss-flags');
    expect(dataset.train.map(({ conversation }) => conversation.filter(({ role }) => role === 'assistant').map(({ learnt }) => learnt))).toEqual([[false, undefined], [false, undefined]]);
    expect(faults(dataset)).toEqual([
      ['error', 3, 'label', expect.stringMatching(/KTO, which is not supported/)],
      ['error', 4, 'label', expect.stringMatching(/KTO, which is not supported/)],
      ['error', 5, 'tools', expect.stringMatching(/not written into the prompt/)],
    ]);
  });
});

describe('ids', () => {
  it('used again are one warning a file, and errors come first and are all counted', async () => {
    const record = (id: string, image: string) => ({ id, image, conversations: [{ from: 'human', value: '<image>\nq' }, { from: 'gpt', value: 'a' }] });
    const records = [...Array.from({ length: 600 }, (_, i) => record(`id ${i % 200}`, 'a.png')), ...Array.from({ length: 50 }, (_, i) => record(`gone ${i}`, `gone${i}.jpg`))];
    const train = [{ path: 'train.json', file: new Blob([JSON.stringify(records)]) }, { path: 'a.png', file: new Blob(['x']) }];
    const dataset = await readDataset({ train, validation: [] }, { kind: 'conversations', validationSplit: 0, seed: 1 });
    expect([dataset.train.length, dataset.rejected, dataset.problemCount, dataset.errorCount]).toEqual([600, 50, 51, 50]);
    expect(dataset.problems.slice(0, 50).every(({ level, code }) => level === 'error' && code === 'file-missing')).toBe(true);
    expect(dataset.problems[50]).toMatchObject({ level: 'warning', field: 'id', message: expect.stringContaining('400 samples of this file have ids used before') });
  });
});

describe('names', () => {
  it.each([
    ['10b-evaluation', 2, 2],
    ['10c-dev', 2, 0],
    ['10d-zip-named-test', 2, 0],
    ['10e-inner-folder-my_test', 3, 0],
    ['10f-file-train_test_split', 3, 0],
  ])('%s', async (folder, train, validation) => {
    const dataset = await read(folder);
    expect([dataset.train.length, dataset.validation.length, dataset.problemCount]).toEqual([train, validation, 0]);
  });

  it('that leave nothing to train are not gone by', async () => {
    const dataset = await readDataset({ train: filesIn('10b-evaluation').filter(({ path }) => path === 'evaluation.json'), validation: [] }, { kind: 'conversations', validationSplit: 0, seed: 1 });
    expect([dataset.train.length, dataset.validation.length]).toEqual([2, 0]);
    expect(faults(dataset)).toEqual([['warning', undefined, undefined, expect.stringMatching(/^All files are named like validation or test data: evaluation\.json/)]]);
  });
});

describe('files', () => {
  it('of pretty-printed objects one after the other are read', async () => {
    const dataset = await read('11-pretty-jsonl');
    expect(dataset.problems).toEqual([]);
    expect(dataset.train.map(({ place }) => [place.line, place.sample])).toEqual([[1, 1], [13, 2], [25, 3]]);
  });
});

describe('boxes in pixels', () => {
  it('of small images are questioned once for the file, and not once they are read as pixels', async () => {
    const dataset = await read('07-pixel-boxes-small-image');
    expect(dataset.train.length).toBe(2);
    expect(faults(dataset)).toEqual([['warning', undefined, undefined, expect.stringMatching(/inside the pixel sizes of their images \(at most 640 × 480\)/)]]);
    expect(dataset.problems[0]).toMatchObject({ file: 'train.json', advice: expect.stringContaining('Compare both readings') as string });
    const pixels = await readDataset({ train: filesIn('07-pixel-boxes-small-image'), validation: [] }, { kind: 'conversations', boxes: 'pixels', validationSplit: 0, seed: 1 });
    expect(pixels.problems).toEqual([]);
    expect(dataset.pixelSuspects).toEqual(['train.json']);
    const rewritten = await readDataset({ train: filesIn('07-pixel-boxes-small-image'), validation: [] }, { kind: 'conversations', choices: { pixelFiles: ['train.json'] }, validationSplit: 0, seed: 1 });
    expect([rewritten.problems, rewritten.pixelSuspects]).toEqual([[], []]);
    expect(rewritten.train.map((sample) => shown(sample).at(-1))).toEqual([
      'assistant: ```json\n[{"bbox_2d": [100, 100, 300, 400], "label": "cover"}]\n```',
      'assistant: ```json\n[{"bbox_2d": [600, 500, 900, 900], "label": "pipe"}]\n```',
    ]);
    const trusted = await readDataset({ train: filesIn('07-pixel-boxes-small-image'), validation: [] }, { kind: 'conversations', choices: { trustedFiles: ['train.json'] }, validationSplit: 0, seed: 1 });
    expect(trusted.problems).toEqual([]);
  });
});

describe('pictures of a phone', () => {
  it('are seen upright: boxes of both records fit, and the grounding is that of the turned picture', async () => {
    const dataset = await read('31-exif-phone');
    expect(dataset.problems).toEqual([]);
    expect(dataset.train.map((sample) => shown(sample).at(-1))).toEqual([
      'assistant: [{"bbox_2d": [100, 100, 400, 300], "label": "sign"}]',
      'assistant: <|box_start|>(100,100),(400,300)<|box_end|>',
      'assistant: <|box_start|>(600,750),(900,950)<|box_end|>',
    ]);
    const notices = new ProblemList();
    await new TurnedImages().report(dataset.train, notices);
    expect(notices.listed.map(({ message }) => message)).toEqual(['1 images carry an orientation and were turned.']);
  });
});

const LISTED = 'Locate all objects of these kinds: cover. Answer with a JSON list of "bbox_2d" and "label".';

describe('exports of annotation tools', () => {
  it.each([
    ['coco', 'COCO', 'train/a.png'],
    ['voc', 'Pascal VOC', 'a.png'],
    ['yolo', 'YOLO', 'images/a.png'],
    ['labelstudio', 'Label Studio', '1a2b-a.png'],
  ])('%s becomes a conversation with thousandths, or pixels as the model sees them', async (folder, format, image) => {
    const dataset = await read(`16-annotation-exports/${folder}`);
    expect(dataset.problems).toEqual([]);
    expect(dataset.annotations).toEqual([format]);
    expect(dataset.train.map(shown)).toEqual([[`user: [image ${image}]${LISTED}`, 'assistant: [{"bbox_2d": [100, 100, 300, 400], "label": "cover"}]']]);
    const train = filesIn(`16-annotation-exports/${folder}`);
    const choices = { annotations: { form: 'tags', language: 'zh', prompt: '找出{labels}' } } as const;
    const seen = await readDataset({ train, validation: [] }, { kind: 'conversations', boxes: 'pixels', seenSize: () => ({ width: 320, height: 240 }), choices, validationSplit: 0, seed: 1 });
    expect(seen.train.map(shown)).toEqual([[`user: [image ${image}]找出cover`, 'assistant: <|object_ref_start|>cover<|object_ref_end|><|box_start|>(32,24),(96,96)<|box_end|>']]);
  });

  it('of Roboflow as JSONL are conversations already, and their boxes are questioned', async () => {
    const dataset = await read('16-annotation-exports/roboflow-jsonl');
    expect([dataset.train.length, dataset.validation.length, dataset.errorCount]).toEqual([1, 1, 0]);
    expect(dataset.train.map(shown)).toEqual([['user: [image train/a.png]Locate damage.', 'assistant: [{"bbox_2d": [64, 48, 192, 192], "label": "cover"}]']]);
  });

  it('of Hugging Face as imagefolder are captions', async () => {
    const dataset = await read('16-annotation-exports/hf-imagefolder');
    expect(dataset.problems).toEqual([]);
    expect(dataset.train.map(shown)).toEqual([['user: [image train/a.png]Describe the image.', 'assistant: A red cover and a green pipe.']]);
  });
});

describe('all exports in one folder', () => {
  it('are told by their layouts, each in its own folder', async () => {
    const dataset = await read('16-annotation-exports');
    expect([...dataset.annotations].sort()).toEqual(['COCO', 'Label Studio', 'Pascal VOC', 'YOLO']);
    const seen = [...dataset.train, ...dataset.validation].flatMap(({ media }) => media.flatMap((medium) => filesOf(medium).map(({ path }) => path)));
    expect(seen.sort()).toEqual(['coco/train/a.png', 'hf-imagefolder/train/a.png', 'labelstudio/1a2b-a.png', 'roboflow-jsonl/train/a.png', 'roboflow-jsonl/valid/b.png', 'voc/a.png', 'yolo/images/a.png']);
    expect(dataset.errorCount).toBe(0);
    expect(dataset.problems.map(({ message }) => message).filter((message) => /neither records nor/.test(message))).toEqual([]);
  });

  it('beside records of the same pictures are left out, by their layouts', async () => {
    const both = ['voc', 'yolo'].flatMap((folder) => filesIn(`16-annotation-exports/${folder}`));
    const records = { path: 'train.jsonl', file: new Blob([JSON.stringify({ image: 'a.png', question: 'q', answer: 'a' })]) };
    const dataset = await readDataset({ train: [...both, records], validation: [] }, { kind: 'conversations', validationSplit: 0, seed: 1 });
    expect([dataset.train.length, dataset.annotations]).toEqual([1, []]);
    expect(dataset.problems.map(({ level, file, message }) => [level, file, message])).toEqual([
      ['warning', 'a.xml', '1 annotations of Pascal VOC were left out: they lie beside files of records.'],
      ['warning', 'labels/a.txt', '1 annotations of YOLO were left out: they lie beside files of records.'],
      ['warning', undefined, '1 dropped images or videos are used by no sample: images/a.png'],
    ]);
  });

  it('of pictures that records elsewhere use too are read, and that is said', async () => {
    const records = { path: 'rows/train.jsonl', file: new Blob([JSON.stringify({ image: '../set/a.png', question: 'q', answer: 'a' })]) };
    const dataset = await readDataset({ train: [...filesIn('16-annotation-exports/voc').map(({ path, file }) => ({ path: `set/${path}`, file })), records], validation: [] }, { kind: 'conversations', validationSplit: 0, seed: 1 });
    expect(dataset.train.length).toBe(2);
    expect(dataset.problems.map(({ level, file, message }) => [level, file, message])).toEqual([['warning', 'set/*', '1 images of these annotations are used by other files too: they are learnt more than once.']]);
  });

  it('without any records are both read', async () => {
    const both = ['voc', 'yolo'].flatMap((folder) => filesIn(`16-annotation-exports/${folder}`).map(({ path, file }) => ({ path: `mixed/${folder}/${path}`, file })));
    const dataset = await readDataset({ train: both, validation: [] }, { kind: 'conversations', validationSplit: 0, seed: 1 });
    expect([dataset.train.length, dataset.annotations, dataset.problems]).toEqual([2, ['Pascal VOC', 'YOLO'], []]);
  });
});

describe('pointers of Git LFS', () => {
  it.each([
    ['17-lfs-pointers', 'The image images/a.jpg is a Git LFS pointer, not the file itself.'],
    ['17b-lfs-json', 'This is a Git LFS pointer, not the file itself.'],
  ])('%s', async (folder, message) => {
    const dataset = await read(folder);
    expect(dataset.problems).toMatchObject([{ level: 'error', message, advice: expect.stringContaining('git lfs pull') as string }]);
  });
});

describe('CVAT', () => {
  const convert = async (folder: string) => importCvat((await cvatFiles(filesIn(folder)))!, { ...CVAT_DEFAULTS, trainRatio: 1, validationRatio: 0 });
  const boxesOf = ({ train }: Awaited<ReturnType<typeof convert>>) => train.map(({ conversations }) => /<box>.*<\/box>/.exec(conversations[1].value)?.[0]);

  it('annotates the upright picture of a phone', async () => {
    const made = await convert('31b-exif-cvat');
    expect([made.problems, made.rejected]).toEqual([[], 0]);
    expect(boxesOf(made)).toEqual(['<box>(100,100),(400,300)</box>']);
  });

  it('of another size than the picture is refused by name', async () => {
    const files = filesIn('31b-exif-cvat').map(({ path, file }) => ({ path, text: path.endsWith('.xml') ? file.text().then((xml) => xml.replace('width="300"', 'width="200"')) : file }));
    const changed = await Promise.all(files.map(async ({ path, text }) => ({ path, file: new Blob([await text]) })));
    const made = await importCvat(changed, { ...CVAT_DEFAULTS, trainRatio: 1, validationRatio: 0 });
    expect([made.train.length, made.rejected]).toEqual([0, 1]);
    expect(made.problems).toMatchObject([{ level: 'error', file: 'annotations.xml', line: 2, field: 'size', message: 'The annotations are for a picture of 200 × 400, images/IMG_0001.jpg has 300 × 400.' }]);
  });

  it('turns boxes: the upright box around one is used, and they are counted', async () => {
    const made = await convert('31c-cvat-rotated-box');
    expect(boxesOf(made)).toEqual(['<box>(437,41),(500,875)</box>']);
    expect(made.problems.map(({ message }) => message)).toContain('1 boxes are rotated; the upright boxes around them were used.');
  });
});
