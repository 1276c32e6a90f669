/** Annotation formats beyond the small cases: what is left out is named and counted, and nothing else is lost with it. */
import { describe, expect, it } from 'vitest';
import { type DatasetOptions, readDataset } from '../../../../src/data/dataset.ts';
import { messageText } from '../../../../src/processing/conversation.ts';
import { png } from '../../processing/png.ts';

const text = (path: string, content: string) => ({ path, file: new Blob([content]) });
const picture = (path: string, width = 100, height = 50) => ({ path, file: new Blob([png({ width, height, colorType: 0, lines: Array.from({ length: height }, () => new Array<number>(width + 1).fill(0)).flat() })]) });
const read = (files: { path: string; file: Blob }[], options: Partial<DatasetOptions> = {}) => readDataset({ train: files, validation: [] }, { kind: 'conversations', validationSplit: 0, seed: 1, ...options });
const answers = ({ train }: Awaited<ReturnType<typeof read>>) => train.map(({ conversation }) => messageText(conversation.at(-1)!));
const said = ({ problems }: Awaited<ReturnType<typeof read>>) => problems.map(({ level, file, line, sample, field, message }) => [level, file, line ?? sample, field, message]);

describe('COCO', () => {
  const image = (id: unknown, file_name: string) => ({ id, file_name, width: 100, height: 50 });
  const box = (image_id: unknown, bbox: unknown, category_id: unknown = 1, more: object = {}) => ({ id: 1, image_id, category_id, bbox, ...more });
  const coco = (images: unknown[], annotations: unknown[], categories: unknown = [{ id: 0, name: 'all' }, { id: 1, name: 'cover' }]) => text('instances_train2017.json', JSON.stringify({ images, annotations, categories }));

  it('keeps images without objects, cuts boxes at edges, widens the thinnest, and leaves crowds and outlines out', async () => {
    const dataset = await read([
      coco([image(1, 'a.png'), image(2, 'b.png')], [box(1, [90, 40, 20, 20]), box(1, [10, 10, 0.01, 10]), box(1, [0, 0, 9, 9], 1, { iscrowd: 1 }), box(1, undefined)]),
      picture('a.png'),
      picture('b.png'),
    ]);
    expect(answers(dataset)).toEqual(['[{"bbox_2d": [900, 800, 1000, 1000], "label": "cover"}, {"bbox_2d": [100, 200, 101, 400], "label": "cover"}]', '[]']);
    expect(said(dataset).map(([level, , , , message]) => [level, message])).toEqual([
      ['warning', '1 annotations of crowds were left out.'],
      ['warning', '1 annotations without a box were left out.'],
      ['warning', '1 boxes reached over the edge of their images and were cut there.'],
      ['warning', '1 boxes are thinner than a thousandth of their image and were widened to it.'],
    ]);
  });

  it('names every image that it cannot use, and uses the others', async () => {
    const dataset = await read([
      coco(
        [image(1, 'a.png'), image(2, 'b.png'), image(3, 'c.png'), image(3, 'd.png'), { id: 5, file_name: 'e.png' }, 7, image(8, 'wrong.png')],
        [box(1, [0, 0, 10, 10]), box(2, [0, 0, 10, 10], 9), box(3, [5, 5, -1, 4]), box(44, [0, 0, 1, 1])],
      ),
      picture('a.png'),
      picture('wrong.png', 10, 10),
    ]);
    expect([dataset.train.length, dataset.rejected]).toEqual([1, 6]);
    expect(said(dataset)).toEqual([
      ['error', 'instances_train2017.json', 4, 'images.3.id', 'Two images have the id 3: whose the boxes are cannot be told.'],
      ['error', 'instances_train2017.json', 5, 'images.4.width', 'The image e.png has no size.'],
      ['error', 'instances_train2017.json', 6, 'images.5', 'Image 6 is no object.'],
      ['error', 'instances_train2017.json', 2, 'annotations.1.category_id', 'The category 9 of annotation 2 has no name.'],
      ['error', 'instances_train2017.json', 3, 'annotations.2.bbox', 'The box of annotation 3, 5, 5, -1, 4, has no area inside its image.'],
      ['error', 'instances_train2017.json', 7, 'size', 'The annotations are for a picture of 100 × 50, wrong.png has 10 × 10.'],
      ['warning', 'instances_train2017.json', undefined, 'annotations.3', 'Annotation 4 belongs to no image of the file.'],
    ]);
  });
});

describe('Hugging Face', () => {
  const rows = (...values: object[]) => text('metadata.jsonl', values.map((value) => JSON.stringify(value)).join('\n'));
  const row = (file_name: string, bbox: unknown, categories: unknown, more: object = {}) => ({ file_name, objects: { bbox, categories }, ...more });
  const SIZE = { width: 100, height: 50 };

  it('answers with what "objects" say: tables of lists, lists of tables, and rows without any', async () => {
    const dataset = await read([
      rows(row('a.png', [[10, 10, 20, 5]], ['cover']), { file_name: 'b.png', objects: [{ id: 4, bbox: [50, 10, 50, 40], category: 'pipe' }] }, { file_name: 'c.png', objects: null }),
      picture('a.png'),
      picture('b.png'),
      picture('c.png'),
    ]);
    expect(dataset.annotations).toEqual(['Hugging Face']);
    expect(answers(dataset)).toEqual(['[{"bbox_2d": [100, 200, 300, 300], "label": "cover"}]', '[{"bbox_2d": [500, 200, 1000, 1000], "label": "pipe"}]', '[]']);
    expect(messageText(dataset.train[0].conversation[0])).toContain('cover, pipe');
    expect(said(dataset)).toEqual([]);
  });

  it('takes sizes unless they reach out of their pictures, and says so where both could be meant', async () => {
    const asSizes = await read([rows(row('a.png', [[10, 10, 20, 5]], ['x'], SIZE)), picture('a.png')]);
    const asCorners = await read([rows(row('a.png', [[10, 10, 20, 15], [60, 20, 99, 49]], ['x', 'y'], SIZE)), picture('a.png')]);
    const either = await read([rows(row('a.png', [[10, 10, 20, 15]], ['x'], SIZE)), picture('a.png')]);
    expect(answers(asSizes)).toEqual(['[{"bbox_2d": [100, 200, 300, 300], "label": "x"}]']);
    expect(said(asSizes)).toEqual([]);
    expect(answers(asCorners)).toEqual(['[{"bbox_2d": [100, 200, 200, 300], "label": "x"}, {"bbox_2d": [600, 400, 990, 980], "label": "y"}]']);
    expect(said(asCorners)).toEqual([['warning', 'metadata.jsonl', undefined, 'objects.bbox', expect.stringContaining('two corners: as x, y, width, height, which is usual')]]);
    expect(answers(either)).toEqual(['[{"bbox_2d": [100, 200, 300, 500], "label": "x"}]']);
    expect(said(either)).toEqual([['warning', 'metadata.jsonl', undefined, 'objects.bbox', expect.stringContaining('read as x, y, width, height')]]);
  });

  it('names every row that it cannot use, and uses the others', async () => {
    const dataset = await read([
      rows(
        row('a.png', [[10, 10, 20, 5]], ['x'], SIZE),
        row('a.png', [[10, 10, 20, 5]], [3], SIZE),
        row('a.png', [[10, 10, 20, 5]], ['x', 'y'], SIZE),
        row('a.png', [[10, 10, 20]], ['x'], SIZE),
        row('a.png', [[10, 10, 20, 5]], [' '], SIZE),
        row('a.png', [[200, 10, 20, 5]], ['x'], SIZE),
        row('a.png', [[10, 10, 20, 5]], ['x'], { width: 640, height: 480 }),
      ),
      picture('a.png'),
    ]);
    expect([dataset.train.length, dataset.rejected]).toEqual([1, 6]);
    expect(said(dataset)).toEqual([
      ['error', 'metadata.jsonl', 2, 'objects.category', 'The category of box 1 is the number 3, and its name is nowhere in the file.'],
      ['error', 'metadata.jsonl', 3, 'objects', 'The row has 1 boxes and 2 categories.'],
      ['error', 'metadata.jsonl', 4, 'objects.bbox', 'Box 1 is not made of four numbers.'],
      ['error', 'metadata.jsonl', 5, 'objects.category', 'Box 1 has no category.'],
      ['error', 'metadata.jsonl', 6, 'objects.bbox', 'Box 1, 200, 10, 20, 5, has no area inside its image.'],
      ['error', 'metadata.jsonl', 7, 'size', 'The annotations are for a picture of 640 × 480, a.png has 100 × 50.'],
    ]);
  });
});

describe('YOLO', () => {
  const yaml = (names: string) => text('data.yaml', `train: ../train/images\nnc: 2\n${names}\n`);
  const label = (content: string, name = 'a') => text(`labels/train/${name}.txt`, content);

  it.each([
    ['on one line', 'names: ["cover, round", \'pipe\']  # two'],
    ['over several', 'names:\n  - "cover, round"\n  - pipe\nroboflow:\n  x: 1'],
    ['by number', 'names:\n  0: cover, round\n  1: pipe'],
    ['as a table on one line', 'names: {0: "cover, round", 1: pipe}'],
  ])('names %s', async (_, names) => {
    const dataset = await read([yaml(names), label('0 0.5 0.5 0.2 0.4\n1 0.5 0.5 1 1 0.93'), picture('images/train/a.png')]);
    expect(dataset.problems).toEqual([]);
    expect(answers(dataset)).toEqual(['[{"bbox_2d": [400, 300, 600, 700], "label": "cover, round"}, {"bbox_2d": [0, 0, 1000, 1000], "label": "pipe"}]']);
  });

  it('takes the box around an outline, and a picture without labels for one without objects', async () => {
    const dataset = await read([yaml('names: [cover]'), label('0 0.1 0.2 0.3 0.2 0.3 0.6 0.1 0.6'), picture('images/train/a.png'), picture('images/train/b.png'), label('', 'c'), picture('images/train/c.png')]);
    expect(answers(dataset)).toEqual(['[{"bbox_2d": [100, 200, 300, 600], "label": "cover"}]', '[]', '[]']);
  });

  it('goes by folders for the split, and asks both parts the same question', async () => {
    const dataset = await read([yaml('names: [cover, pipe]'), text('train/labels/a.txt', '0 0.5 0.5 0.2 0.4\n1 0.5 0.5 0.2 0.4'), picture('train/images/a.png'), text('valid/labels/test_1.txt', '0 0.5 0.5 0.2 0.4'), picture('valid/images/test_1.png')]);
    expect([dataset.train.length, dataset.validation.length, dataset.problemCount]).toEqual([1, 1, 0]);
    expect(messageText(dataset.train[0].conversation[0])).toBe(messageText(dataset.validation[0].conversation[0]));
  });

  it('names file and line of what it cannot use', async () => {
    const dataset = await read([yaml('names: [cover]'), label('0 0.5 0.5 0.2 0.4\n3 0.5 0.5 0.2 0.4'), picture('images/train/a.png'), label('0 0.5 0.5 0 0.4', 'b'), picture('images/train/b.png'), label('0 0.5 0.5 0.2 0.4', 'c'), picture('images/train/c.png')]);
    expect([dataset.train.length, dataset.rejected]).toEqual([1, 2]);
    expect(said(dataset)).toEqual([
      ['error', 'labels/train/a.txt', 2, 'class', 'Class 3 has no name.'],
      ['error', 'labels/train/b.txt', 1, 'box', 'The box 0.5 0.5 0 0.4 has no area inside its image.'],
      ['warning', undefined, undefined, undefined, '2 dropped images or videos are used by no sample: images/train/a.png, images/train/b.png'],
    ]);
  });

  it('without names says so once for the set', async () => {
    const dataset = await read([label('0 0.5 0.5 0.2 0.4'), picture('images/train/a.png')]);
    expect(said(dataset)[0]).toEqual(['error', undefined, undefined, undefined, 'The YOLO labels number their classes, but no file names them.']);
  });
});

describe('Label Studio', () => {
  const region = (value: object, type = 'rectanglelabels') => ({ original_width: 100, original_height: 50, value, type });
  const task = (result: unknown, more: object = {}) => ({ id: 1, data: { image: '/data/local-files/?d=set%2Fa.png' }, annotations: [{ was_cancelled: true, result: [] }, { result }], ...more });
  const read1 = (...tasks: object[]) => read([text('export.json', JSON.stringify(tasks)), picture('set/a.png')]);

  it('turns boxes round their corner, and uses words where there are no boxes', async () => {
    const turned = await read1(task([region({ x: 50, y: 20, width: 20, height: 20, rotation: 90, rectanglelabels: ['cover'] })]));
    expect(answers(turned)).toEqual(['[{"bbox_2d": [400, 200, 500, 600], "label": "cover"}]']);
    const chosen = await read1(task([region({ choices: ['broken'] }, 'choices')]));
    expect(answers(chosen)).toEqual(['broken']);
    expect(messageText(chosen.train[0].conversation[0])).toBe('Which of these does the image show: broken?');
  });

  it('names a box whose place is no number', async () => {
    for (const odd of [{ toString: 1 }, '12', null, []]) {
      const dataset = await read1(task([region({ x: 10, y: odd, width: 20, height: 20, rectanglelabels: ['cover'] })]));
      expect(said(dataset)[0]).toEqual(['error', 'export.json', 1, 'result.0.value.y', 'Box 1 has no number as its "y".']);
    }
  });

  it('names tasks that are not finished', async () => {
    const dataset = await read1(task([]), { id: 2, data: { image: 'a.png' }, annotations: [] });
    expect([dataset.train.length, dataset.rejected]).toEqual([1, 1]);
    expect(said(dataset)).toEqual([['error', 'export.json', 2, 'annotations', 'The task has not been annotated.']]);
  });
});

describe('Pascal VOC', () => {
  it('names the file of what it cannot use, and other XML is left alone', async () => {
    const voc = (box: string) => `<annotation><filename>a.png</filename><size><width>100</width><height>50</height></size><object><name>cover</name><part><name>knob</name></part>${box}</object></annotation>`;
    const dataset = await read([text('a.xml', voc('<bndbox><xmin>10</xmin><ymin>10</ymin><xmax>20</xmax><ymax>20</ymax></bndbox>')), text('b.xml', voc('')), text('c.xml', '<other/>'), picture('a.png')]);
    expect(answers(dataset)).toEqual(['[{"bbox_2d": [100, 200, 200, 400], "label": "cover"}]']);
    expect(dataset.rejected).toBe(1);
    expect(said(dataset).map(([level, file, , field]) => [level, file, field])).toEqual([['error', 'b.xml', 'object.bndbox'], ['warning', undefined, undefined]]);
  });
});

describe('the lists of Pascal VOC', () => {
  const voc = (name: string) => text(`VOC2012/Annotations/${name}.xml`, `<annotation><filename>${name}.png</filename><size><width>100</width><height>50</height></size><object><name>cover</name><bndbox><xmin>10</xmin><ymin>10</ymin><xmax>20</xmax><ymax>20</ymax></bndbox></object></annotation>`);
  const list = (name: string, ...images: string[]) => text(`VOC2012/ImageSets/Main/${name}.txt`, images.map((image) => `${image}\n`).join(''));
  const names = ['a', 'b', 'c', 'd', 'e'];
  const folder = [...names.map(voc), ...names.map((name) => picture(`VOC2012/JPEGImages/${name}.png`))];
  const parts = ({ train, validation }: Awaited<ReturnType<typeof read>>) => [train, validation].map((samples) => samples.map(({ place }) => place.file?.slice(-5, -4)));

  it('decide the split; lists of single classes do not', async () => {
    const dataset = await read([...folder, list('train', 'a', 'c', 'e'), list('val', 'b', 'd'), list('trainval', ...names), list('cover_train', 'a  1', 'b -1'), text('VOC2012/ImageSets/Layout/val.txt', 'a\n')]);
    expect(parts(dataset)).toEqual([['a', 'c', 'e'], ['b', 'd']]);
    expect(dataset.problems).toEqual([]);
  });

  it('leave out what they do not name, and count it', async () => {
    const dataset = await read([...folder, list('train', 'a  1', 'b', 'gone'), list('val', 'c')]);
    expect(parts(dataset)).toEqual([['a', 'b'], ['c']]);
    expect(said(dataset)[0]).toEqual(['warning', 'VOC2012/ImageSets/Main', undefined, undefined, '2 annotated images are in no list of ImageSets/Main and were left out.']);
  });

  it('take test images for validation where nothing else is, and both halves together for training', async () => {
    expect(parts(await read([...folder, list('trainval', 'a', 'b', 'c'), list('test', 'd', 'e')]))).toEqual([['a', 'b', 'c'], ['d', 'e']]);
  });

  it('of other annotations are not gone by', async () => {
    const dataset = await read([...folder, list('train', 'x', 'y')]);
    expect(parts(dataset)).toEqual([names, []]);
    expect(said(dataset)).toEqual([['warning', 'VOC2012/ImageSets/Main', undefined, undefined, 'The lists of ImageSets/Main name none of the annotated images and were not gone by.']]);
  });
});

describe('folders of classes', () => {
  it('are what their pictures show, by split', async () => {
    const dataset = await read(['train/cat/1.png', 'train/dog/1.png', 'val/cat/9.png'].map((path) => picture(path)));
    expect(answers(dataset)).toEqual(['cat', 'dog']);
    expect(dataset.validation.length).toBe(1);
    expect(messageText(dataset.validation[0].conversation[0])).toBe('Which of these does the image show: cat, dog?');
  });
});
