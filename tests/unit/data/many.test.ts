import { zipSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import { AnswerVocabulary } from '../../../src/data/answer-vocabulary.ts';
import { parseLayout } from '../../../src/data/answer-layout.ts';
import { CVAT_DEFAULTS, importCvat } from '../../../src/data/cvat.ts';
import { sortByKind } from '../../../src/data/file-tree.ts';
import { ProblemList } from '../../../src/data/problems.ts';

// Lists of this length given to a function as its arguments overflow the stack.
const MANY = 150_000;

describe('very many of a thing', () => {
  it('annotated images', async () => {
    const images = Array.from({ length: MANY }, (_, i) => `<image name="${i}.jpg" width="9" height="9"/>`);
    const made = await importCvat([{ path: 'annotations.xml', file: new Blob([`<annotations>${images.join('')}</annotations>`]) }], CVAT_DEFAULTS);
    expect([made.train.length + made.validation.length + made.test.length, made.problemCount]).toEqual([MANY, 0]);
  }, 60_000);

  it('files in archives that are of no use', async () => {
    const archives = Array.from({ length: 4 }, (_, k) => zipSync(Object.fromEntries(Array.from({ length: 40_000 }, (_, i) => [`${k}/${i}.pdf`, new Uint8Array(0)])), { level: 0 }));
    const sorted = await sortByKind(archives.map((bytes, i) => ({ path: `${i}.zip`, file: new Blob([Uint8Array.from(bytes)]) })), new ProblemList());
    expect(sorted.ignored).toHaveLength(160_000);
  }, 60_000);

  it('objects in one answer', () => {
    const layout = parseLayout('检测到1个设备：\n1. 路灯\n   状态：亮\n   <box>(10,20),(30,40)</box>')!;
    const vocabulary = new AnswerVocabulary([{ ...layout, items: Array.from({ length: MANY }, () => layout.items[0]) }]);
    expect(vocabulary.categories).toEqual(['路灯']);
  });
});
