import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { boxIou, categoriesOf, detectionMetrics, extractBoxes, imageSizeOf, parseAnswer } from '../../../src/objectives/detection.ts';

const LAMP = '检测到1个设备：\n1. 路灯\n   状态：不亮\n   <box>(0,0),(100,100)</box>';
const LAMP_AND_SIGN = '检测到2个设备：\n1. 路灯\n   状态：正常\n   <box>(0,0),(100,100)</box>\n2. 交通标志\n   状态：倾斜\n   <box>(500,500),(600,700)</box>';
const NONE = '未检测到相关设备';
const aliases = new Map([
  ['traffic light', '交通信号灯'],
  ['traffic sign', '交通标志'],
  ['camera', '监控摄像头'],
  ['guardrail', '护栏'],
  ['street lamp', '路灯'],
  ['cabinet', '机箱'],
]);

describe('boxIou', () => {
  it.each([
    [[0, 0, 10, 10], [0, 0, 10, 10], 1],
    [[0, 0, 10, 10], [5, 0, 15, 10], 1 / 3],
    [[0, 0, 10, 10], [10, 10, 20, 20], 0],
    [[0, 0, 10, 10], [20, 20, 10, 10], 0],
    [[0, 0, Infinity, Infinity], [0, 0, 10, 10], 0],
    [[5, 5, 5, 5], [0, 0, 10, 10], 0],
  ] as const)('%j and %j', (a, b, iou) => {
    expect(boxIou([...a], [...b])).toBeCloseTo(iou, 12);
  });
});

describe('parseAnswer', () => {
  it('accepts the flawless list', () => {
    expect(parseAnswer(LAMP_AND_SIGN)).toEqual({
      objects: [
        { category: '路灯', status: '正常', box: [0, 0, 100, 100] },
        { category: '交通标志', status: '倾斜', box: [500, 500, 600, 700] },
      ],
      format: 'lines',
      wellFormed: true,
      saysNone: false,
    });
    expect(parseAnswer(NONE)).toMatchObject({ objects: [], wellFormed: true, saysNone: true });
  });

  it.each([
    ['header count', LAMP.replace('1个', '2个')],
    ['numbering', LAMP.replace('1. ', '2. ')],
    ['box without width', LAMP.replace('(100,100)', '(0,100)')],
    ['box outside', LAMP.replace('(100,100)', '(1001,100)')],
    ['trailing line break', `${LAMP}\n`],
    ['text before', `好的。${LAMP}`],
    ['huge number', LAMP.replace('(100,100)', `(${'9'.repeat(400)},100)`)],
    ['sentence with an end', `${NONE}。`],
  ])('refuses a wrong %s', (_what, text) => {
    expect(parseAnswer(text).wellFormed).toBe(false);
  });

  it('reads the one-line format with and without header', () => {
    const items = '1. 路灯（街灯） - 状态：正常 - 位置：<box>(1,2),(30,40)</box>\n2. 护栏 - 状态：破损 - 位置：<box>(5,6),(70,80)</box>';
    const objects = [
      { category: '路灯（街灯）', status: '正常', box: [1, 2, 30, 40] },
      { category: '护栏', status: '破损', box: [5, 6, 70, 80] },
    ];
    expect(parseAnswer(items)).toEqual({ objects, format: 'inline', wellFormed: true, saysNone: false });
    expect(parseAnswer(`检测到2个设备：\n${items}`)).toMatchObject({ objects, wellFormed: true });
    expect(parseAnswer(`检测到3个设备：\n${items}`)).toMatchObject({ objects, wellFormed: false });
    expect(parseAnswer(`${items}\n以上。`)).toMatchObject({ objects, wellFormed: false });
    expect(parseAnswer(items.replace('2. ', '3. '))).toMatchObject({ wellFormed: false });
  });

  it('reads Qwen JSON, fenced or not, and knows other names', () => {
    const json = '[{"bbox_2d": [10, 20, 30, 40], "label": "street lamp", "status": "off"}]';
    expect(parseAnswer(json, aliases)).toEqual({ objects: [{ category: '路灯', status: 'off', box: [10, 20, 30, 40] }], format: 'json', wellFormed: true, saysNone: false });
    expect(parseAnswer(`\`\`\`json\n${json}\n\`\`\``).objects).toHaveLength(1);
    expect(parseAnswer('[]')).toMatchObject({ format: 'json', wellFormed: true, saysNone: true });
    expect(parseAnswer('[{"bbox_2d":[1,2,3,1e999],"label":"x"}]').wellFormed).toBe(false);
    expect(parseAnswer('[{"__proto__":{"bbox_2d":[1,2,3,4]}}]').format).toBeNull();
    expect(parseAnswer('[{"bbox_2d":[1,2,3,4],"label":{}}, {"bbox_2d":[1,2').format).toBeNull();
  });

  it('collects boxes and names from anything else', () => {
    const names = new Map([...aliases, ...[...aliases.values()].map((name) => [name, name] as const)]);
    expect(parseAnswer('路灯，不亮，(1,2),(3,4)；护栏，正常，(5,6),(7,8)。', names).objects).toEqual([
      { category: '路灯', status: '', box: [1, 2, 3, 4] },
      { category: '护栏', status: '', box: [5, 6, 7, 8] },
    ]);
    expect(parseAnswer('[{"bbox_2d":[271,477,885,680],"label":"traffic light","status":"dark"},{"bbox_2d":[1', names).objects).toEqual([
      { category: '交通信号灯', status: '', box: [271, 477, 885, 680] },
    ]);
    expect(parseAnswer('(1,2),(3,4)').objects).toEqual([{ category: '', status: '', box: [1, 2, 3, 4] }]);
  });

  it.each([
    ['spaces', `1. a - ${' '.repeat(100_000)}`],
    ['dashes', `1. ${'- 状态：'.repeat(20_000)}`],
    ['brackets', '('.repeat(100_000)],
    ['tags', `${'<'.repeat(100_000)}(1,2),(3,4)`],
    ['fence', `\`\`\`${' '.repeat(100_000)}x`],
    ['nesting', '['.repeat(100_000) + ']'.repeat(100_000)],
  ])('stays fast on hostile %s', (_what, text) => {
    const start = performance.now();
    parseAnswer(text, aliases);
    extractBoxes(text);
    expect(performance.now() - start).toBeLessThan(4000);
  });
});

describe('extractBoxes', () => {
  it('labels boxes with category and status', () => {
    expect(extractBoxes(LAMP)).toEqual([{ box: [0, 0, 100, 100], label: '路灯（不亮）' }]);
  });

  it.each([
    ['<|object_ref_start|>路灯<|object_ref_end|><|box_start|>(1,2),(3,4)<|box_end|>', '路灯'],
    ['图中有车。路灯，不亮，(1,2),(3,4)；', '路灯，不亮'],
    ['名称： 路灯\n   坐标：(1,2),(3,4)', '路灯'],
    ['(1,2),(3,4)', ''],
  ])('%s', (text, label) => {
    expect(extractBoxes(text)).toEqual([{ box: [1, 2, 3, 4], label }]);
  });

  it('leaves out what cannot be drawn', () => {
    expect(extractBoxes('(5,5),(1,1) (0,0),(2000,10)')).toEqual([]);
    expect(extractBoxes('no boxes')).toEqual([]);
  });
});

describe('detectionMetrics', () => {
  it('agrees with the reference implementation on 64 changed answers', () => {
    const { pairs, score } = JSON.parse(readFileSync(new URL('../../fixtures/detection/mutated_answers.json', import.meta.url), 'utf8'));
    const metrics = detectionMetrics(pairs, { aliases })!;
    const expected = { format: score.format, bbox_iou: score.iou, bbox_iou50: score.iou50, category: score.category, status: score.status, count: score.count, empty: score.empty };
    for (const [name, value] of Object.entries(expected)) expect(metrics[name as 'format'], name).toBeCloseTo(value, 10);
  });

  it('is 1 everywhere for the truth itself', () => {
    const metrics = detectionMetrics([LAMP, LAMP_AND_SIGN, NONE].map((text) => ({ truth: text, answer: text })))!;
    expect(Object.values(metrics)).toEqual(new Array(11).fill(1));
  });

  it('worked example by hand', () => {
    const metrics = detectionMetrics([
      // IoU 1/2 (box half as wide), right category, wrong status.
      { truth: LAMP, answer: LAMP.replace('(100,100)', '(50,100)').replace('不亮', '正常') },
      // Only one of two found, exactly.
      { truth: LAMP_AND_SIGN, answer: '检测到1个设备：\n1. 路灯\n   状态：正常\n   <box>(0,0),(100,100)</box>' },
      // A hallucination on an empty image.
      { truth: NONE, answer: LAMP },
      { truth: NONE, answer: NONE },
    ])!;
    expect(metrics).toEqual({
      format: 1,
      bbox_iou: (0.5 + 1 + 0) / 3,
      bbox_iou50: 2 / 3,
      category: 2 / 3,
      status: 1 / 3,
      completeness: (1 + 0.5 + 0 + 1) / 4,
      count: 2 / 4,
      precision: 2 / 3,
      recall: 2 / 3,
      f1: 2 / 3,
      empty: 1 / 2,
    });
  });

  it('counts a category nobody knows as a format fault', () => {
    const answer = LAMP.replace('路灯', '飞机');
    expect(detectionMetrics([{ truth: LAMP, answer }])!.format).toBe(0);
    expect(detectionMetrics([{ truth: LAMP, answer }], { categories: ['飞机'] })!.format).toBe(1);
  });

  it('wants the format of the ground truth', () => {
    const truth = '[{"bbox_2d":[1,2,30,40],"label":"cat"}]';
    expect(detectionMetrics([{ truth, answer: truth }])!.format).toBe(1);
    expect(detectionMetrics([{ truth, answer: '检测到1个设备：\n1. cat\n   状态：ok\n   <box>(1,2),(30,40)</box>' }])).toMatchObject({ format: 0, bbox_iou: 1, category: 1 });
    expect(detectionMetrics([{ truth, answer: NONE }])!.format).toBe(0);
  });

  it('matches one to one', () => {
    const twice = '[{"bbox_2d":[0,0,100,100],"label":"cat"},{"bbox_2d":[0,0,100,90],"label":"cat"}]';
    expect(detectionMetrics([{ truth: '[{"bbox_2d":[0,0,100,100],"label":"cat"}]', answer: twice }])).toMatchObject({ precision: 0.5, recall: 1, f1: 2 / 3, count: 0 });
  });

  it('does not apply to plain text, and leaves out what cannot be measured', () => {
    expect(detectionMetrics([{ truth: 'A cat on a mat.', answer: 'A cat.' }])).toBeNull();
    expect(detectionMetrics([])).toBeNull();
    const metrics = detectionMetrics([{ truth: NONE, answer: NONE }])!;
    expect(metrics).toMatchObject({ format: 1, empty: 1, precision: 1 });
    expect(metrics).not.toHaveProperty('bbox_iou');
    expect(detectionMetrics([{ truth: LAMP, answer: '' }])).toMatchObject({ format: 0, bbox_iou: 0, precision: 0, recall: 0, f1: 0, completeness: 0 });
  });

  it('finds the categories of a dataset', () => {
    expect(categoriesOf([LAMP_AND_SIGN, NONE, 'text'])).toEqual(new Set(['路灯', '交通标志']));
  });
});

describe('boxes in pixels', () => {
  const size = { width: 640, height: 320 };

  it('are drawn in thousandths of their image, beyond 1000 too, and left out where they reach over its edge', () => {
    const text = '[{"bbox_2d": [64, 32, 640, 320], "label": "lamp"}, {"bbox_2d": [0, 0, 641, 10], "label": "sign"}]';
    expect(extractBoxes(text, size)).toEqual([{ box: [100, 100, 1000, 1000], label: 'lamp' }]);
    expect(extractBoxes('lamp <box>(1000,500),(1500,1000)</box>', { width: 2000, height: 1000 })).toEqual([{ box: [500, 500, 750, 1000], label: 'lamp' }]);
  });

  it('know the size that a stored answer tells', () => {
    expect(imageSizeOf([640, 320])).toEqual(size);
    for (const value of [undefined, [640], [640, 0], ['640', '320'], size]) expect(imageSizeOf(value)).toBeUndefined();
  });
});

describe('boxes as models write them around JSON', () => {
  const box = [100, 100, 300, 400];
  it.each([
    ['an object alone', '{\n"bbox_2d": [100, 100, 300, 400]\n}', ''],
    ['an object with its label', '{"bbox_2d": [100, 100, 300, 400], "label": "cover"}', 'cover'],
    ['an object around a list', '{"objects": [{"bbox_2d": [100, 100, 300, 400], "label": "cover"}], "count": 1}', 'cover'],
    ['words behind', '[{"bbox_2d": [100, 100, 300, 400], "label": "cover"}]\nThat is all.', 'cover'],
    ['words and a fence', 'Here it is:\n```json\n[{"bbox_2d": [100, 100, 300, 400], "label": "cover"}]\n```', 'cover'],
    ['a thought before', '<think>First I thought {"bbox_2d": [1, 1, 2, 2], "label": "lid"}.</think>\n\n[{"bbox_2d": [100, 100, 300, 400], "label": "cover"}]', 'cover'],
    ['a list in prose', 'The cover is at [100, 100, 300, 400].', ''],
  ])('%s', (_, text, label) => {
    expect(extractBoxes(text)).toEqual([{ box, label }]);
    expect(parseAnswer(text)).toMatchObject({ objects: [{ box, category: label }], format: null, wellFormed: false });
  });
});
