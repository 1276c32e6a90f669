/** ms-swift's <ref-object> and <bbox>, as its documentation shows them. */
import { describe, expect, it } from 'vitest';
import { answerOf, messageText } from '../../../src/processing/conversation.ts';
import { type DatasetKind, previewSample, readDataset } from '../../../src/data/dataset.ts';
import { extractBoxes } from '../../../src/objectives/detection.ts';
import { chunk } from '../processing/png.ts';

/** The beginning of a PNG of this size: more is not read. */
function picture(path: string, width: number, height: number) {
  const header = new Uint8Array(13);
  new DataView(header.buffer).setUint32(0, width);
  new DataView(header.buffer).setUint32(4, height);
  return { path, file: new Blob(['\x89PNG\r\n\x1a\n'].map((text) => Uint8Array.from(text, (c) => c.charCodeAt(0))).concat([new Uint8Array(chunk('IHDR', header))])) };
}

const IMAGES = [picture('a.png', 2000, 1000), picture('b.png', 500, 500)];
const imagesIn = (records: readonly object[]) => IMAGES.filter(({ path }) => JSON.stringify(records).includes(path));
const read = (kind: DatasetKind, ...records: object[]) =>
  readDataset({ train: [{ path: 'train.json', file: new Blob([JSON.stringify(records)]) }, ...imagesIn(records)], validation: [] }, { kind, validationSplit: 0, seed: 1 });
const turns = (question: string, answer?: string) => [{ role: 'user', content: question }, ...(answer === undefined ? [] : [{ role: 'assistant', content: answer }])];
const REF = (words: string) => `<|object_ref_start|>${words}<|object_ref_end|>`;

/** What becomes of one sample with the image a.png, whose thousandths are half its x and its y in pixels. */
async function placed(question: string, answer: string, objects: object, images: readonly string[] = ['a.png']): Promise<string[]> {
  const dataset = await read('conversations', { messages: turns(question, answer), images, objects });
  expect(dataset.problems).toEqual([]);
  expect(dataset.train[0].extra).toBeUndefined();
  return dataset.train[0].conversation.map(messageText);
}

/** The problem of one sample. */
async function refused(record: object, kind: DatasetKind = 'conversations') {
  const dataset = await read(kind, record);
  expect(dataset).toMatchObject({ train: [], rejected: 1, problemCount: 1 });
  return dataset.problems[0];
}

describe('placeholders', () => {
  it('in sentences become Qwen’s tags, in order over all turns', async () => {
    const objects = { ref: ['a dog', 'a woman'], bbox: [[331.5, 761.4, 853.5, 994.8], [676.5, 685.8, 1099.5, 927.4]] };
    expect(await placed('<image>Describe.', '<ref-object><bbox> and <ref-object><bbox> play', objects)).toEqual([
      'Describe.',
      `${REF('a dog')}<|box_start|>(166,761),(427,995)<|box_end|> and ${REF('a woman')}<|box_start|>(338,686),(550,927)<|box_end|> play`,
    ]);
    expect(await placed('<image>Find the <ref-object>', '<bbox><bbox>', { ref: ['sheep'], bbox: [[0, 0, 2000, 1000], [1, 5, 21, 10]] })).toEqual([
      `Find the ${REF('sheep')}`,
      // 1 of 2000 is half a thousandth: rounded to even, as Python does.
      '<|box_start|>(0,0),(1000,1000)<|box_end|><|box_start|>(0,5),(10,10)<|box_end|>',
    ]);
  });

  it('in JSON become lists and plain words, which the readers of answers find', async () => {
    const answer = '[\n\t{"bbox_2d": <bbox>, "label": "<ref-object>"},\n\t{"bbox_2d": <bbox>, "label": "<ref-object>"}\n]';
    const [question, json] = await placed('<image>Find every <ref-object>', answer, { ref: ['lamp', 'old "lamp"', 'sign'], bbox: [[200, 100, 400, 200], [1000, 500, 2000, 1000]] });
    expect(question).toBe('Find every lamp');
    expect(json).toContain('{"bbox_2d": [100, 100, 200, 200], "label": "old \\"lamp\\""}');
    expect(extractBoxes(json)).toEqual([
      { box: [100, 100, 200, 200], label: 'old "lamp"' },
      { box: [500, 500, 1000, 1000], label: 'sign' },
    ]);
  });

  it('take points, shares of the image, and boxes of the image they name', async () => {
    expect((await placed('<image>Open it.', "click(start_box='<bbox>')", { ref: [], bbox: [[615, 226]] }))[1]).toBe("click(start_box='<|box_start|>(308,226)<|box_end|>')");
    expect((await placed('<image>Where?', '<bbox>', { bbox: [[0.1, 0.25, 0.5, 1]], bbox_type: 'norm1' }))[1]).toBe('<|box_start|>(100,250),(500,1000)<|box_end|>');
    const two = { ref: null, bbox: [[100, 100, 500, 500], [100, 100, 500, 500]], image_id: [1, 0] };
    expect((await placed('<image><image>Where?', '<bbox><bbox>', two, ['a.png', 'b.png']))[1]).toBe('<|box_start|>(200,200),(1000,1000)<|box_end|><|box_start|>(50,100),(250,500)<|box_end|>');
  });

  it('leave boxes that are written out between such tags alone', async () => {
    const dataset = await read('conversations', { messages: turns('<image>Where?', '<bbox>(1,2),(3,4)</bbox>'), images: ['a.png'] });
    expect(dataset.problems).toEqual([]);
    expect(answerOf(dataset.train[0].conversation)).toBe('<bbox>(1,2),(3,4)</bbox>');
  });
});

describe('preference pairs and prompts', () => {
  const record = { messages: turns('<image>Find the <ref-object>', '<ref-object><bbox>'), images: ['a.png'], objects: { ref: ['lamp', 'lamp'], bbox: [[200, 100, 400, 200]] } };

  it('have both sides filled from the same place on', async () => {
    const dataset = await read('preference', { ...record, rejected_response: 'A <ref-object>: none.' }, { ...record, rejected_messages: turns('<image>Find the <ref-object>', '<bbox>') });
    expect(dataset.problems).toEqual([]);
    for (const { conversation } of dataset.train) expect(conversation.map(messageText)).toEqual([`Find the ${REF('lamp')}`, `${REF('lamp')}<|box_start|>(100,100),(200,200)<|box_end|>`]);
    expect(dataset.train.map(({ rejected }) => messageText(rejected!))).toEqual([`A ${REF('lamp')}: none.`, '<|box_start|>(100,100),(200,200)<|box_end|>']);
  });

  it('name a rejected side that asks for more than there is', async () => {
    const problem = await refused({ ...record, rejected_response: '<bbox><bbox>' }, 'preference');
    expect(problem).toMatchObject({ code: 'dataset', field: 'rejected', message: 'The rejected side: the text has 2 <bbox>, "objects.bbox" lists 1.' });
  });

  it('keep the objects of an answer that is not there for rewards', async () => {
    const { objects, images } = record;
    const dataset = await read('prompts', { messages: turns('<image>Find the <ref-object>'), images, objects: { ...objects, ref: ['lamp'] } }, { ...record, note: 1 });
    expect(dataset.train[0].extra).toEqual({ objects: { ...objects, ref: ['lamp'] } });
    expect(messageText(dataset.train[0].conversation[0])).toBe(`Find the ${REF('lamp')}`);
    expect(dataset.train[1].extra).toEqual({ note: 1 });
  });
});

describe('faults', () => {
  const sample = (answer: string, objects?: unknown, more: object = {}) => ({ messages: turns('<image>Where?', answer), images: ['a.png'], ...(objects !== undefined && { objects }), ...more });

  it.each<[string, object, string, RegExp]>([
    ['fewer boxes than places', sample('<bbox><bbox>', { bbox: [[0, 0, 9, 9]] }), 'objects.bbox', /has 2 <bbox>, "objects.bbox" lists 1/],
    ['more boxes than places', sample('<bbox>', { bbox: [[0, 0, 9, 9], [0, 0, 9, 9]] }), 'objects.bbox', /has 1 <bbox>, "objects.bbox" lists 2/],
    ['fewer words than places', sample('<ref-object>', { bbox: [] }), 'objects.ref', /has 1 <ref-object>, "objects.ref" lists 0/],
    ['no objects', sample('<ref-object><bbox>'), 'objects', /places 2 objects, the sample lists none/],
    ['objects of another form', sample('<bbox>', { bbox: [0, 0, 9, 9] }), 'objects.bbox.0', /Field objects\.bbox\.0/],
    ['an unknown kind of box', sample('<bbox>', { bbox: [[0, 0, 9, 9]], bbox_type: 'norm1000' }), 'objects.bbox_type', /bbox_type/],
    ['three numbers', sample('<bbox>', { bbox: [[0, 0, 9]] }), 'objects.bbox.0', /has 3 numbers/],
    ['a box outside its image', sample('<bbox>', { bbox: [[0, 0, 9, 1001]] }), 'objects.bbox.0', /outside its image of 2000 × 1000/],
    ['pixels called shares', sample('<bbox>', { bbox: [[0, 0, 9, 9]], bbox_type: 'norm1' }), 'objects.bbox.0', /outside its image of 1 × 1/],
    ['a box without area', sample('<bbox>', { bbox: [[5, 0, 5, 9]] }), 'objects.bbox.0', /no area/],
    ['an image that is not there', sample('<bbox>', { bbox: [[0, 0, 9, 9]], image_id: [1] }), 'objects.image_id.0', /belongs to image 2/],
    ['no image', { messages: turns('Where?', '<bbox>'), objects: { bbox: [[0, 0, 9, 9]] } }, 'objects.bbox.0', /belongs to image 1/],
  ])('%s', async (_what, record, field, message) => {
    expect(await refused(record)).toMatchObject({ level: 'error', code: 'dataset', sample: 1, field, message: expect.stringMatching(message) });
  });

  it('are warned of where the text places nothing, and other columns of that name are let alone', async () => {
    const objects = { ref: ['lamp'], bbox: [[0, 0, 9, 9]] };
    const dataset = await read('conversations', sample('yes', objects), sample('no', objects), sample('perhaps', { count: 3 }), sample('never', 'lamps'));
    expect(dataset.train).toHaveLength(4);
    expect(dataset.problems).toMatchObject([{ level: 'warning', field: 'objects', message: expect.stringMatching(/^2 samples list objects/) }]);
    expect(dataset.train.map(({ extra }) => extra?.objects)).toEqual([objects, objects, { count: 3 }, 'lamps']);
  });
});

describe('a run that counts boxes in pixels', () => {
  it('fills places with pixels of the picture as the model sees it; without a model that is refused', async () => {
    const records = [
      { messages: turns('<image>Find the dog', '<bbox>'), images: ['a.png'], objects: { ref: [], bbox: [[0, 0, 200, 100]] } },
      { messages: turns('<image>Find the dog', '<box>(0,0),(200,100)</box>'), images: ['a.png'] },
    ];
    const files = [{ path: 'train.json', file: new Blob([JSON.stringify(records)]) }, ...imagesIn(records)];
    const dataset = await readDataset({ train: files, validation: [] }, { kind: 'prompts', boxes: 'pixels', validationSplit: 0, seed: 1 });
    expect(dataset.train).toHaveLength(1);
    expect(dataset.rejected).toBe(1);
    expect(dataset.problems.map(({ field, message }) => [field, message])).toEqual([['objects.bbox.0', expect.stringContaining('no model is loaded')]]);
    const seenSize = ({ width, height }: { width: number; height: number }) => ({ width: width * 2, height: height * 4 });
    const seen = await readDataset({ train: files, validation: [] }, { kind: 'conversations', boxes: 'pixels', seenSize, validationSplit: 0, seed: 1 });
    expect(seen.train.map(({ conversation }) => messageText(conversation[1]))).toEqual(['<|box_start|>(0,0),(400,400)<|box_end|>', '<box>(0,0),(200,100)</box>']);
    expect((await read('prompts', ...records)).train).toHaveLength(2);
  });
});

describe('thoughts', () => {
  const turns = (thoughts: unknown, asked: object = {}) => [{ role: 'user', content: 'Where is it?', ...asked }, { role: 'assistant', reasoning_content: thoughts, content: 'There.' }];

  it('stay with their answer, also where places of objects are filled', async () => {
    const { train } = await read('conversations', { messages: turns('I see it.') }, { messages: turns('I see it.', { content: 'Where is <ref-object>?' }), objects: { ref: ['a lamp'] } }, { messages: turns(null) });
    expect(train.map(({ conversation }) => conversation[1].reasoning)).toEqual(['I see it.', 'I see it.', undefined]);
    expect(train.map((sample) => previewSample(sample).turns[1].reasoning), 'what the page shows').toEqual(['I see it.', 'I see it.', undefined]);
    expect(train[1].conversation[0].content).toEqual([{ type: 'text', text: `Where is ${REF('a lamp')}?` }]);
  });

  it('are text, and of answers only', async () => {
    const { train, problems } = await read('conversations', { messages: turns(['a']) }, { messages: turns('a', { reasoning_content: 'hm' }) });
    expect(train).toEqual([]);
    expect(problems.map(({ field, level }) => [field, level])).toEqual([['messages.1.reasoning_content', 'error'], ['messages.0.reasoning_content', 'error']]);
  });
});
