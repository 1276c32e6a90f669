import { zipSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import { parseLayout } from '../../../src/data/answer-layout.ts';
import { CVAT_DEFAULTS, type CvatOptions, importCvat } from '../../../src/data/cvat.ts';
import { cvatFiles } from '../../../src/data/cvat-drop.ts';
import { convertCvat } from '../../../src/data/cvat-parts.ts';
import { type DatasetOptions, readDataset } from '../../../src/data/dataset.ts';
import { messageText } from '../../../src/processing/conversation.ts';
import type { PathFile } from '../../../src/protocol/messages.ts';
import { png } from '../processing/png.ts';

const file = (path: string, content: BlobPart): PathFile => ({ path, file: new Blob([content]) });
const annotations = (...images: string[]) => `<?xml version="1.0"?>\n<annotations>\n<version>1.1</version>\n<meta><task><label>x</label></task></meta>\n${images.join('\n')}\n</annotations>`;
const image = (name: string, ...content: string[]) => `<image id="0" name="${name}" width="1280" height="720">${content.join('')}</image>`;
const box = (label: string, corners: unknown[] = [128, 72, 641.3, 719.9], attributes: Record<string, string> = { 状态: '正常' }) =>
  `<box label="${label}" source="manual" occluded="0" xtl="${corners[0]}" ytl="${corners[1]}" xbr="${corners[2]}" ybr="${corners[3]}" z_order="0">${Object.entries(attributes)
    .map(([name, value]) => `<attribute name="${name}">${value}</attribute>`)
    .join('')}</box>`;
const convert = (xml: string, options: Partial<CvatOptions> = {}) => importCvat([file('annotations_1.xml', xml)], { ...CVAT_DEFAULTS, trainRatio: 1, validationRatio: 0, ...options });

describe('conversion', () => {
  it('writes the answer, with truncated thousandths', async () => {
    const made = await convert(annotations(image('a.jpg', box('路灯', [128, 72, 641.3, 719.9], { 状态: '不亮', 原因: '灯泡 &amp; 线路', 类型: '单臂' }), box('护栏'))));
    expect(made.problems).toEqual([]);
    expect(made.train).toEqual([
      {
        id: 'traffic_anomaly_0',
        image: 'a.jpg',
        conversations: [
          { from: 'human', value: `<image>\n${CVAT_DEFAULTS.prompt}` },
          {
            from: 'gpt',
            value:
              '检测到以下交通设备：\n\n1. 路灯（单臂）\n   - 状态：不亮\n   - 原因：灯泡 & 线路\n   - 位置：<box>(100,100),(501,999)</box>\n2. 护栏\n   - 状态：正常\n   - 位置：<box>(100,100),(501,999)</box>',
          },
        ],
      },
    ]);
    expect(made.statistics).toEqual({ train: 1, validation: 0, test: 0, abnormal: 1, normal: 0, boxes: 2, categories: { 路灯: 1, 护栏: 1 }, statuses: { 不亮: 1, 正常: 1 } });
    expect(parseLayout(made.train[0].conversations[1].value)!.items.map(({ values }) => values.category)).toEqual(['路灯', '护栏']);
  });

  it('has a sentence for images without boxes', async () => {
    const { train } = await convert(annotations('<image id="1" name="a.jpg" width="10" height="10"/>'));
    expect(train[0].conversations[1].value).toBe('未检测到相关设备。');
  });

  it('gives records that are read without a problem, their images beside the annotation file', async () => {
    const made = await importCvat([file('task/annotations.xml', annotations(image('x/a.png', box('a')), image('b.png'))), file('task/x/a.png', 'p')], { ...CVAT_DEFAULTS, trainRatio: 1 });
    expect(made.train.map((record) => record.image).sort()).toEqual(['task/b.png', 'task/x/a.png']);
    const dataset = await readDataset({ train: [file('train.json', JSON.stringify(made.train)), file('task/x/a.png', 'p'), file('task/b.png', 'p')], validation: [] }, { kind: 'conversations', validationSplit: 0, seed: 1 });
    expect([dataset.train.length, dataset.problemCount]).toEqual([2, 0]);
  });
});

it('samples by the thousand become the same JSON, piece by piece', async () => {
  const files = [file('annotations.xml', annotations(...Array.from({ length: 3210 }, (_, i) => image(`${i}.jpg`, box('灯'))) ))];
  const [whole, parts] = [await importCvat(files, CVAT_DEFAULTS), await convertCvat({ kind: 'convert', files, options: CVAT_DEFAULTS, boxes: 'whole' })];
  expect([parts.train, parts.validation, parts.test].map((part) => part.map(({ path }) => path))).toEqual([['train.json'], ['val.json'], ['test.json']]);
  for (const name of ['train', 'validation', 'test'] as const) expect(await parts[name][0].file.text()).toBe(JSON.stringify(whole[name], null, 2));
  expect(parts.statistics).toEqual(whole.statistics);
});

it('an empty part of a task has no file', async () => {
  const { train, validation } = await convertCvat({ kind: 'convert', files: [file('a.xml', annotations(image('a.jpg')))], options: CVAT_DEFAULTS, boxes: 'whole' });
  expect([train.length, validation]).toEqual([1, []]);
});

describe('units', () => {
  const picture = file('a.png', png({ width: 1280, height: 720, colorType: 0, lines: new Array<number>(1281 * 720).fill(0) }));
  const answer = async (boxes: 'thousandths' | 'pixels', files: PathFile[], choices: DatasetOptions['choices'], seenSize?: DatasetOptions['seenSize']) => {
    const dataset = await readDataset({ train: [...files, picture], validation: [] }, { kind: 'conversations', boxes, validationSplit: 0, seed: 1, ...(choices && { choices }), ...(seenSize && { seenSize }) });
    return dataset.train.length === 1 ? /\(.*\)/.exec(messageText(dataset.train[0].conversation.at(-1)!))?.[0] : dataset.problems;
  };
  const made = async () => {
    const { train } = await importCvat([file('annotations.xml', annotations(image('a.png', box('路灯', [128, 72, 641.9, 719.9])))), picture], { ...CVAT_DEFAULTS, trainRatio: 1, validationRatio: 0 }, 'exact');
    return [file('train.json', JSON.stringify(train))];
  };
  const choices = { thousandthFiles: ['train.json'] };
  const seen = () => ({ width: 1288, height: 728 });

  it('are those of the model’s family, as for other annotation formats', async () => {
    const voc = [file('a.xml', '<annotation><filename>a.png</filename><size><width>1280</width><height>720</height></size><object><name>x</name><bndbox><xmin>128</xmin><ymin>72</ymin><xmax>641.9</xmax><ymax>719.9</ymax></bndbox></object></annotation>')];
    const pixels = await answer('pixels', voc, { annotations: { form: 'tags', language: 'en', prompt: null } }, seen);
    expect(pixels).toBe('(129,73),(646,728)');
    expect(await answer('pixels', await made(), choices, seen)).toBe(pixels);
    expect(await answer('thousandths', await made(), choices)).toBe('(100,100),(501,999)');
  });

  it('in pixels need to know how the model sees a picture', async () => {
    expect(await answer('pixels', await made(), choices)).toMatchObject([{ level: 'error', file: 'train.json', sample: 1, advice: 'Load the model first.' }]);
  });
});

describe('boxes outside images', () => {
  it.each([
    ['in no image', `${box('a')}${image('a.jpg')}`],
    ['in an image that is itself nowhere', `<group>${image('b.jpg', box('a'))}</group>${image('a.jpg')}`],
    ['in an image inside an image', image('a.jpg', `<image name="b.jpg" width="9" height="9">${box('a')}</image>`)],
    ['in a box', image('a.jpg').replace('></image>', `><group>${box('a')}</group></image>`)],
  ])('%s are left out and counted', async (_where, content) => {
    const made = await convert(annotations(content));
    expect(made.train.map((record) => [record.image, record.conversations[1].value])).toEqual([['a.jpg', '未检测到相关设备。']]);
    expect(made.problems.map(({ message }) => message)).toEqual(['1 boxes belong to no image and were left out.']);
  });
});

describe('choice and shares', () => {
  const many = annotations(...Array.from({ length: 100 }, (_, i) => image(`${i}.jpg`, box('路灯', undefined, { status: i % 4 === 0 ? '不亮' : 'Normal' }))));
  const names = (records: { image: string }[]) => records.map((record) => record.image);

  it('splits 80 / 10 / 10 in an order that the seed decides', async () => {
    const made = await convert(many, CVAT_DEFAULTS);
    expect([made.train.length, made.validation.length, made.test.length]).toEqual([80, 10, 10]);
    const all = [...made.train, ...made.validation, ...made.test];
    expect(new Set(names(all)).size).toBe(100);
    expect(new Set(all.map(({ id }) => id)).size).toBe(100);
    expect(await convert(many, CVAT_DEFAULTS)).toEqual(made);
    expect(names((await convert(many, { ...CVAT_DEFAULTS, seed: 1 })).train)).not.toEqual(names(made.train));
  });

  it.each([
    [{ onlyAbnormal: true }, 25, 0],
    [{ normalSampleRatio: 0 }, 25, 0],
    [{ normalSampleRatio: 0.2 }, 25, 15],
    [{ onlyAbnormal: true, normalSampleRatio: 1 }, 25, 0],
    [{}, 25, 75],
  ])('%j', async (options, abnormal, normal) => {
    const { statistics, train } = await convert(many, options);
    expect(statistics).toMatchObject({ abnormal, normal, train: abnormal + normal });
    expect(train).toHaveLength(abnormal + normal);
  });
});

describe('faults', () => {
  it.each<[string, string, object]>([
    ['no label', box(''), { field: 'label', message: expect.stringMatching(/has no label/) }],
    ['no number', box('a', ['x', 1, 2, 3]), { field: 'box', message: expect.stringMatching(/not made of four numbers/) }],
    ['endless number', box('a', ['1e999', 1, 2, 3]), { field: 'box', message: expect.stringMatching(/not made of four numbers/) }],
    ['no area', box('a', [5, 5, 5, 50]), { field: 'box', message: expect.stringMatching(/no area/) }],
    ['outside', box('a', [1300, 5, 1400, 50]), { field: 'box', message: expect.stringMatching(/no area inside/) }],
  ])('a box with %s costs its image', async (_what, bad, problem) => {
    const made = await convert(annotations(image('a.jpg', box('ok'), bad), image('b.jpg', box('ok'))));
    expect(made.train.map((record) => record.image)).toEqual(['b.jpg']);
    expect(made.rejected).toBe(1);
    expect(made.problems).toEqual([expect.objectContaining({ level: 'error', code: 'dataset', file: 'annotations_1.xml', line: 5, ...problem })]);
  });

  it('names images without name or size', async () => {
    const made = await convert(annotations(image(''), '<image id="0" name="a.jpg" width="0" height="5"/>'));
    expect([made.train.length, made.rejected]).toEqual([0, 2]);
    expect(made.problems.map(({ field, line }) => [field, line])).toEqual([
      ['name', 5],
      ['width', 6],
    ]);
  });

  it('warns of boxes over the edge, other shapes, missing statuses and copies, once each', async () => {
    const made = await convert(annotations(image('a.jpg', box('a', [-3, 0, 1290, 720], {}), '<polygon label="a" points="1,2;3,4"/>', '<tag label="x"/>'), image('a.jpg')));
    expect(made.train[0].conversations[1].value + made.train[1].conversations[1].value).toContain('(0,0),(1000,1000)');
    expect(made.problems.map(({ level, message }) => [level, message.slice(0, 20)])).toEqual([
      ['warning', '1 shapes are no boxe'],
      ['warning', '1 boxes reached over'],
      ['warning', '1 boxes have no stat'],
      ['warning', '1 images were annota'],
    ]);
  });

  it.each<[string, BlobPart, string, RegExp]>([
    ['broken XML', '<annotations>\n<image name="a" width="1" height="1">\n</annotations>', 'file-corrupt', /line 3: <\/annotations> closes <image>/],
    ['another root', '<html/>', 'dataset', /its root is <html>/],
    ['a video', '<annotations><track id="1"/></annotations>', 'dataset', /as a video/],
    ['not UTF-8', new Uint8Array([0x3c, 0xff, 0x3e]), 'file-corrupt', /not UTF-8/],
    ['UTF-8 cut off', new Uint8Array([0x3c, 0xe4]), 'file-corrupt', /not UTF-8/],
    ['empty', '', 'file-corrupt', /no elements/],
    ['no images', '<annotations/>', 'dataset', /holds no images/],
  ])('%s costs the file, not the others', async (_what, content, code, message) => {
    const made = await importCvat([file('annotations_1.xml', content), file('annotations_2.xml', annotations(image('b.jpg')))], { ...CVAT_DEFAULTS, trainRatio: 1 });
    expect(made.train).toHaveLength(1);
    expect(made.problems).toEqual([expect.objectContaining({ level: 'error', code, file: 'annotations_1.xml', message: expect.stringMatching(message) })]);
  });

  it('says when there is no annotation file', async () => {
    expect((await importCvat([file('a.json', '[]')], CVAT_DEFAULTS)).problems).toEqual([expect.objectContaining({ code: 'file-missing' })]);
  });
});

describe('a drop', () => {
  const xml = annotations(image('a.png', box('路灯')));
  const zip = (files: Record<string, string>) => {
    const entries = Object.entries(files).map(([name, text]) => [name, new TextEncoder().encode(text)]);
    return { path: 'task.zip', file: new Blob([zipSync(Object.fromEntries(entries)) as Uint8Array<ArrayBuffer>]) };
  };
  const paths = async (...files: PathFile[]) => (await cvatFiles(files))?.map(({ path }) => path) ?? null;

  it('of annotations, loose or in the archive that CVAT makes, is told from a dataset', async () => {
    expect(await paths(file('annotations.xml', xml), file('a.png', 'p'))).toEqual(['annotations.xml', 'a.png']);
    expect(await paths(zip({ 'annotations.xml': xml, 'images/a.png': 'p', 'readme.txt': 'x' }))).toEqual(['task.zip/annotations.xml', 'task.zip/images/a.png']);
    expect(await paths(file('annotations.xml', xml), file('train.json', '[]'))).toBeNull();
    expect(await paths(zip({ 'annotations.xml': xml, 'train.jsonl': '{}' }))).toBeNull();
    expect(await paths(zip({ 'images/a.png': 'p' }))).toBeNull();
  });

  it('with an archive that cannot be read is left to the dataset, which says so', async () => {
    expect(await paths({ path: 'task.zip', file: new Blob(['nonsense']) }, file('annotations.xml', xml))).toBeNull();
  });

  it('as an archive becomes records whose images are found', async () => {
    const files = await cvatFiles([zip({ 'annotations.xml': xml, 'images/a.png': 'p' })]);
    const made = await importCvat(files ?? [], { ...CVAT_DEFAULTS, trainRatio: 1 });
    const train = [file('train.json', JSON.stringify(made.train)), ...(files ?? []).filter(({ path }) => path.endsWith('.png'))];
    const dataset = await readDataset({ train, validation: [] }, { kind: 'conversations', validationSplit: 0, seed: 1 });
    expect([dataset.train.length, dataset.problemCount]).toEqual([1, 0]);
  });
});
