/** Inputs of the sizes that people bring on a bad day, written into a folder. */
import { once } from 'node:events';
import { createWriteStream, readdirSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { finished } from 'node:stream/promises';
import { join } from 'node:path';
import { zipSync } from 'fflate';
import { ROOT } from '../browser/ensure-build.ts';

/** Parts are joined to about a megabyte before they are written. */
const CHUNK = 1 << 20;

async function writeText(path: string, parts: Iterable<string>): Promise<string> {
  const stream = createWriteStream(path);
  let held = '';
  for (const part of parts) {
    held += part;
    if (held.length < CHUNK) continue;
    if (!stream.write(held)) await once(stream, 'drain');
    held = '';
  }
  stream.end(held);
  await finished(stream);
  return path;
}

const turns = (question: string, answer: string) => ({ conversations: [{ from: 'human', value: question }, { from: 'gpt', value: answer }] });

/** Lines of JSON: questions and answers without pictures, no two alike. */
export function* questionLines(rows: number): Generator<string> {
  for (let i = 0; i < rows; i++) {
    const row = turns(`Question ${i}: which devices beside road ${i % 977} are lit at night, and which are not?`, `检测到1个设备：\n1. 路灯\n   状态：${i % 2 ? '不亮' : '正常'}\n   At kilometre ${i % 313} the lamp stands alone.`);
    yield `${JSON.stringify({ id: `r${i}`, ...row })}\n`;
  }
}

export function textRows(folder: string, rows: number): Promise<string> {
  return writeText(join(folder, 'rows.jsonl'), questionLines(rows));
}

/** One sample whose answer has that many characters. */
export function longAnswer(folder: string, characters: number): Promise<string> {
  const words = 'The lamp at the corner is lit. ';
  return writeText(join(folder, 'long.jsonl'), [JSON.stringify({ id: 'long', ...turns('Tell everything.', words.repeat(Math.ceil(characters / words.length)).slice(0, characters)) })]);
}

/** A CVAT export of that many pictures, two boxes each, without the pictures. */
export function cvatTask(folder: string, images: number): Promise<string> {
  function* parts() {
    yield '<?xml version="1.0" encoding="utf-8"?>\n<annotations><version>1.1</version>\n';
    for (let i = 0; i < images; i++) {
      const box = (label: string, left: number, status: string) => `<box label="${label}" xtl="${left}" ytl="10" xbr="${left + 30}" ybr="40" occluded="0"><attribute name="状态">${status}</attribute></box>`;
      yield `<image id="${i}" name="picture_${i}.png" width="640" height="480">${box('路灯', 10 + (i % 500), i % 9 ? '正常' : '不亮')}${box('摄像头', 60 + (i % 300), '正常')}</image>\n`;
    }
    yield '</annotations>\n';
  }
  return writeText(join(folder, 'annotations.xml'), parts());
}

/** A training log with six figures a row, two of them rough, and a validation every hundredth. */
function* logParts(rows: number): Generator<string> {
  yield '{"config":{"learning_rate":1e-4},"train_history":[';
  for (let step = 1; step <= rows; step++) {
    const wobble = Math.sin(step * 12.9898) * 43758.5453;
    const noise = wobble - Math.floor(wobble);
    yield `${step === 1 ? '' : ',\n'}{"step":${step},"epoch":${(step / 5000).toFixed(4)},"loss":${(smoothLoss(step, rows) + 0.2 * noise).toFixed(5)},"grad_norm":${(1 + noise).toFixed(4)},"learning_rate":${(1e-4 * (1 - step / rows)).toExponential(5)},"reward":${(noise + step / rows).toFixed(4)},"kl":${(0.01 * noise).toFixed(6)},"tokens_per_second":${(1800 + 60 * noise).toFixed(1)}}`;
  }
  yield '],"val_history":[';
  for (let step = 100; step <= rows; step += 100) yield `${step === 100 ? '' : ','}{"step":${step},"epoch":${(step / 5000).toFixed(4)},"eval_loss":${(smoothLoss(step, rows) + 0.05).toFixed(5)}}`;
  yield ']}';
}

const smoothLoss = (step: number, rows: number): number => 0.2 + 2 * Math.exp((-11 * step) / rows);

export function trainingLog(folder: string, rows: number): Promise<string> {
  return writeText(join(folder, 'training_log.json'), logParts(rows));
}

/** An archive of so many of the demo's pictures with a table of questions about them. @param level 0 stores the pictures, above they are packed */
export function pictureZip(images: number, level: 0 | 1 = 0): Uint8Array<ArrayBuffer> {
  const folder = join(ROOT, 'public/demo/data/images');
  const pictures = readdirSync(folder).filter((name) => name.endsWith('.png')).map((name) => new Uint8Array(readFileSync(join(folder, name))));
  const rows = Array.from({ length: images }, (_, i) => ({ id: `s${i}`, image: `images/${i}.png`, ...turns('<image>\nWhich devices are there?', `${i % 7} lamps.`) }));
  const entries = Object.fromEntries(rows.map(({ image }, i) => [image, pictures[i % pictures.length]]));
  return zipSync({ 'train.json': new TextEncoder().encode(JSON.stringify(rows)), ...entries }, { level }) as Uint8Array<ArrayBuffer>;
}

export async function pictureArchive(folder: string, images: number, level: 0 | 1): Promise<string> {
  const path = join(folder, 'pictures.zip');
  await writeFile(path, pictureZip(images, level));
  return path;
}
