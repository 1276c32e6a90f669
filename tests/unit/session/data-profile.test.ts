import { describe, expect, it } from 'vitest';
import { readDataset } from '../../../src/data/dataset.ts';
import { histogram, profileOf } from '../../../src/session/data-profile.ts';

const record = (answer: string, image?: string) => ({ ...(image && { image }), messages: [{ role: 'user', content: 'What?' }, { role: 'assistant', content: answer }] });
const file = (path: string, content: string) => ({ path, file: new Blob([content]) });
const profile = async (train: object[], validation: object[], files: { path: string; file: Blob }[] = []) => {
  const read = await readDataset({ train: [file('train.json', JSON.stringify(train)), file('val.json', JSON.stringify(validation)), ...files], validation: [] }, { kind: 'conversations', validationSplit: 0, seed: 1 });
  return profileOf(read, null, 0);
};

describe('what a dataset is made of', () => {
  it('is lengths in bins of one width', () => {
    expect(histogram([])).toBeNull();
    expect(histogram([7])).toEqual({ from: 7, width: 1, counts: [1] });
    const { from, width, counts } = histogram(Array.from({ length: 1000 }, (_, i) => i + 5))!;
    expect([from, counts.reduce((a, b) => a + b), counts.length <= 24, from + width * counts.length > 1004]).toEqual([5, 1000, true, true]);
  });

  it('is classes: objects by category, or short answers that come again', async () => {
    expect((await profile([record('[{"bbox_2d": [1, 2, 3, 4], "label": "lid"}, {"bbox_2d": [1, 2, 3, 4], "label": "pipe"}]'), record('[{"bbox_2d": [5, 6, 7, 8], "label": "pipe"}]')], [record('[]')])).classes).toEqual({ rows: [{ name: 'pipe', count: 2 }, { name: 'lid', count: 1 }], others: 0 });
    expect((await profile([record('yes'), record('yes'), record('no')], [record('no')])).classes.rows).toEqual([{ name: 'yes', count: 2 }, { name: 'no', count: 2 }]);
    expect((await profile([record('A long story.'), record('Another one.')], [record('And this.')])).classes.rows).toEqual([]);
  });

  it('is what training and validation share: pictures by their bytes, and whole texts', async () => {
    const files = [file('a.png', 'same'), file('b.png', 'same'), file('c.png', 'else'), file('d.png', 'longer')];
    expect((await profile([record('x', 'a.png'), record('y', 'd.png')], [record('x', 'b.png'), record('y', 'c.png'), record('z', 'd.png')], files)).shared).toEqual({ images: 2, texts: 0 });
    expect((await profile([record('x'), record('y')], [record('x'), record('z')])).shared).toEqual({ images: 0, texts: 1 });
  });
});
