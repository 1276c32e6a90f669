/** Inputs of the sizes that people bring on a bad day, written into a folder. */
import { createWriteStream, readFileSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { finished } from 'node:stream/promises';
import { join } from 'node:path';
import { Zip, ZipPassThrough } from 'fflate';
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

const conversation = (id: string, question: string, answer: string) => ({ id, messages: [{ role: 'user', content: question }, { role: 'assistant', content: answer }] });

/** Questions and answers without pictures, no two alike. */
export function textRows(folder: string, rows: number): Promise<string> {
  function* lines() {
    for (let i = 0; i < rows; i++) yield `${JSON.stringify(conversation(`row-${i}`, `How many lamps stand at post ${i}, and how many of them are lit?`, `${(i * 7) % 12} lamps stand there; ${(i * 5) % 7} are lit.`))}\n`;
  }
  return writeText(join(folder, 'rows.jsonl'), lines());
}

/** One sample whose answer has that many characters. */
export function longAnswer(folder: string, characters: number): Promise<string> {
  const words = 'The lamp at the corner is lit. ';
  return writeText(join(folder, 'long.jsonl'), [`${JSON.stringify(conversation('long', 'Tell everything.', words.repeat(Math.ceil(characters / words.length)).slice(0, characters)))}\n`]);
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

/** A training log with six figures a row, and a validation every hundredth. */
export function trainingLog(folder: string, rows: number): Promise<string> {
  function* parts() {
    yield '{"config":{"learning_rate":1e-4},"train_history":[';
    for (let step = 1; step <= rows; step++) {
      const wobble = Math.sin(step * 12.9898) * 43758.5453;
      const noise = wobble - Math.floor(wobble);
      const loss = 0.2 + 2 * Math.exp((-12 * step) / rows) + 0.2 * noise;
      yield `${step === 1 ? '' : ',\n'}{"step":${step},"epoch":${(step / 5000).toFixed(4)},"loss":${loss.toFixed(5)},"grad_norm":${(1 + noise).toFixed(4)},"learning_rate":${(1e-4 * (1 - step / rows)).toExponential(5)},"reward":${noise.toFixed(4)},"kl":${(0.01 * noise).toFixed(6)},"tokens_per_second":${(1800 + 60 * noise).toFixed(1)}}`;
    }
    yield '],"val_history":[';
    for (let step = 100; step <= rows; step += 100) yield `${step === 100 ? '' : ','}{"step":${step},"epoch":${(step / 5000).toFixed(4)},"eval_loss":${(0.25 + 2 * Math.exp((-12 * step) / rows)).toFixed(5)}}`;
    yield ']}';
  }
  return writeText(join(folder, 'training_log.json'), parts());
}

/** An archive of that many pictures, stored, and one table of questions. */
export async function pictureArchive(folder: string, images: number): Promise<string> {
  const path = join(folder, 'pictures.zip');
  const picture = new Uint8Array(readFileSync(join(ROOT, 'public/demo/data/images/000001.png')));
  const chunks: Uint8Array[] = [];
  const zip = new Zip((error, chunk) => {
    if (error) throw error;
    chunks.push(chunk);
  });
  const add = (name: string, bytes: Uint8Array) => {
    const file = new ZipPassThrough(name);
    zip.add(file);
    file.push(bytes, true);
  };
  const rows = Array.from({ length: images }, (_, i) => JSON.stringify({ ...conversation(`picture-${i}`, `<image>What stands at post ${i}?`, `Device ${i % 40}.`), images: [`images/${i}.png`] }));
  add('train.jsonl', new TextEncoder().encode(rows.join('\n')));
  for (let i = 0; i < images; i++) add(`images/${i}.png`, picture);
  zip.end();
  writeFileSync(path, Buffer.concat(chunks));
  return path;
}
