/** Tables, mapped columns and dataset_info.json. */
import { describe, expect, it } from 'vitest';
import { type DatasetOptions, readDataset } from '../../../src/data/dataset.ts';
import { messageText } from '../../../src/processing/conversation.ts';

const text = (path: string, content: string) => ({ path, file: new Blob([content]) });
const read = (files: { path: string; file: Blob }[], options: Partial<DatasetOptions> = {}) => readDataset({ train: files, validation: [] }, { kind: 'conversations', validationSplit: 0, seed: 1, ...options });
const turns = ({ train }: Awaited<ReturnType<typeof read>>) => train.map(({ conversation }) => conversation.map(messageText));

describe('tables', () => {
  it.each([
    ['a.csv', ',', '\n'],
    ['a.csv', ';', '\r\n'],
    ['a.csv', '\t', '\n'],
    ['a.tsv', '\t', '\r\n'],
  ])('%s with %j between cells', async (path, separator, end) => {
    const rows = [['question', 'answer'], [`"Is it red${separator} or ""blue""?"`, '"Red.\nReally."'], ['', ''], ['2 + 2', '4']];
    const dataset = await read([text(path, `\ufeff${rows.map((row) => row.join(separator)).join(end)}${end}`)]);
    expect(turns(dataset)).toEqual([[`Is it red${separator} or "blue"?`, 'Red.\nReally.'], ['2 + 2', '4']]);
    expect(dataset.train.map(({ place }) => place.line)).toEqual([2, 5]);
    expect([dataset.rejected, dataset.errorCount]).toEqual([1, 1]);
  });

  it.each([
    ['a,b\n"open', /never closed/, 2],
    [',\n1,2', /names no columns/, 1],
    ['a,a\n1,2', /two columns "a"/, 1],
    ['question,answer\nq,a,more\nq,a', /has 3 cells, the header 2/, 2],
  ])('%j', async (content, message, line) => {
    const dataset = await read([text('a.csv', content)]);
    expect(dataset.problems[0]).toMatchObject({ level: 'error', line, message: expect.stringMatching(message) as string });
  });
});

describe('columns that nobody knows', () => {
  const rows = [{ frage: 'Wo?', antwort: 'cover', ort: '[[10, 10, 20, 20]]' }, { frage: 'Was?', antwort: 'pipe', ort: '' }];

  it('are handed out with the first rows, and read as they were mapped', async () => {
    const file = text('rows.json', JSON.stringify(rows));
    expect((await read([file])).unknown).toEqual([{ file: 'rows.json', columns: ['frage', 'antwort', 'ort'], rows: 2, first: rows }]);
    const mapped = await read([file], { choices: { mappings: { 'rows.json': { prompt: 'frage', answer: 'antwort', image: null, boxes: null } } } });
    expect(mapped.problems).toEqual([]);
    expect(turns(mapped)).toEqual([['Wo?', 'cover'], ['Was?', 'pipe']]);
    expect(mapped.train[0].extra).toEqual({ ort: '[[10, 10, 20, 20]]' });
  });

  it('with a picture and words are captions; a question of one’s own is asked instead', async () => {
    const file = text('a.csv', 'image,caption\na.png,A lid\na.png,A pipe');
    const image = text('a.png', 'x');
    expect(turns(await read([file, image]))).toEqual([['Describe the image.', 'A lid'], ['Describe the image.', 'A pipe']]);
    const asked = await read([file, image], { choices: { annotations: { form: 'json', language: 'zh', prompt: '说说看' } } });
    expect(turns(asked)[0][0]).toBe('说说看');
  });
});

describe('dataset_info.json', () => {
  const info = (entry: object) => text('dataset_info.json', JSON.stringify({ mine: entry }));

  it('renames columns and tags', async () => {
    const chats = [{ talk: [{ who: 'a', says: 'q' }, { who: 'b', says: 'r' }], pics: [] }];
    const dataset = await read([
      info({ file_name: 'chats.json', formatting: 'sharegpt', columns: { messages: 'talk', images: 'pics' }, tags: { role_tag: 'who', content_tag: 'says', user_tag: 'a', assistant_tag: 'b' } }),
      text('chats.json', JSON.stringify(chats)),
    ]);
    expect(dataset.problems).toEqual([]);
    expect(turns(dataset)).toEqual([['q', 'r']]);
    const plain = await read([info({ file_name: 'data/rows.json', columns: { prompt: 'ask', response: 'say', query: 'more' } }), text('data/rows.json', JSON.stringify([{ ask: 'q', more: 'x', say: 'r' }]))]);
    expect(turns(plain)).toEqual([['q\nx', 'r']]);
  });
});
