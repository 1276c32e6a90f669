import { describe, expect, it } from 'vitest';
import { guessMapping } from '../../../src/data/guess-mapping.ts';

describe('what columns probably mean', () => {
  it.each([
    ['two columns, whatever they are called', [{ linke: 'Is it red?', rechte: 'Yes' }], { prompt: 'linke', answer: 'rechte', image: null, boxes: null }],
    ['names in any order', [{ reply: 'Yes', 'user question': 'Is it red?' }], { prompt: 'user question', answer: 'reply', image: null, boxes: null }],
    ['Chinese names', [{ 编号: 1, 问题: '红色吗？', 图片: 'a.png', 答案: '是' }], { prompt: '问题', answer: '答案', image: '图片', boxes: null }],
    ['a picture with a question under a name that says nothing', [{ c1: 'a.png', c2: 'How many?', c3: 'Two.' }], { prompt: 'c2', answer: 'c3', image: 'c1', boxes: null }],
    ['a picture with words', [{ pfad: 'x/a.jpg', wort: 'lid' }], { prompt: null, answer: 'wort', image: 'pfad', boxes: null }],
    ['boxes as text or lists', [{ img: 'a.png', name: 'lid', where: '[1, 2, 3, 4]' }, { img: 'b.png', name: 'lid', where: [[1, 2, 3, 4]] }], { prompt: null, answer: 'name', image: 'img', boxes: 'where' }],
    ['one column alone', [{ x: 'words' }], { prompt: null, answer: 'x', image: null, boxes: null }],
  ])('%s', (_, rows, mapping) => {
    expect(guessMapping([...new Set(rows.flatMap((row) => Object.keys(row)))], rows)).toEqual(mapping);
  });
});
