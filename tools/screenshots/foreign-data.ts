/** Data as other tools leave it, made of the demo's pictures: a COCO export, and a table whose columns say nothing. */
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { ROOT } from '../browser/ensure-build.ts';

interface DemoRecord {
  image: string;
  conversations: { value: string }[];
}

const OBJECT = /^\d+\. (.+)\n\s+状态：(.+)\n\s+<box>\((\d+),(\d+)\),\((\d+),(\d+)\)<\/box>/gm;
const NAMES = ['lamp', 'guardrail', 'cabinet', 'sign', 'camera', 'signal'];

function demoRecords(count: number): DemoRecord[] {
  const records = JSON.parse(readFileSync(join(ROOT, 'public/demo/data/sft_train.json'), 'utf8')) as DemoRecord[];
  return records.filter(({ conversations }) => OBJECT.test(conversations[1].value) && (OBJECT.lastIndex = 0) === 0).slice(0, count);
}

/**
 * A folder as COCO tools export it: pictures and one file of boxes in pixels.
 * @param into an empty folder
 * @returns the folder
 */
export function cocoExport(into: string, count: number): string {
  mkdirSync(into, { recursive: true });
  const kinds: string[] = [];
  const annotations: object[] = [];
  const images = demoRecords(count).map(({ image, conversations }, i) => {
    cpSync(join(ROOT, 'public/demo/data', image), join(into, basename(image)));
    // Width and height stand in a PNG's first chunk.
    const header = readFileSync(join(ROOT, 'public/demo/data', image));
    const [width, height] = [header.readUInt32BE(16), header.readUInt32BE(20)];
    for (const [, kind, , ...corners] of conversations[1].value.matchAll(OBJECT)) {
      if (!kinds.includes(kind)) kinds.push(kind);
      const [left, top, right, bottom] = corners.map((text, corner) => (Number(text) * (corner % 2 === 0 ? width : height)) / 1000);
      annotations.push({ id: annotations.length + 1, image_id: i + 1, category_id: kinds.indexOf(kind) + 1, bbox: [left, top, right - left, bottom - top], iscrowd: 0 });
    }
    return { id: i + 1, file_name: basename(image), width, height };
  });
  const categories = kinds.map((_, i) => ({ id: i + 1, name: NAMES[i] ?? `device ${i + 1}` }));
  writeFileSync(join(into, '_annotations.coco.json'), JSON.stringify({ images, annotations, categories }));
  return into;
}

/**
 * A folder with a table of pictures, questions and answers.
 * @param into an empty folder
 * @returns the folder
 */
export function questionTable(into: string, count: number): string {
  mkdirSync(into, { recursive: true });
  const rows = demoRecords(count).map(({ image, conversations }) => {
    cpSync(join(ROOT, 'public/demo/data', image), join(into, basename(image)));
    const devices = [...conversations[1].value.matchAll(OBJECT)].length;
    return `${basename(image)},How many devices stand here?,${devices === 1 ? 'One device.' : `${devices} devices.`}`;
  });
  writeFileSync(join(into, 'inspection.csv'), ['col_1,col_2,col_3', ...rows].join('\n'));
  return into;
}
