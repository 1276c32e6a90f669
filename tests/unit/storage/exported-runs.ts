/** Runs with everything that can be stored of one, their archives, and what lies in storage of a run. */
import { unzipSync, zipSync } from 'fflate';
import { writeSafetensors } from '../../../src/checkpoint/safetensors.ts';
import { zipFiles } from '../../../src/checkpoint/zip.ts';
import type { TrainRow } from '../../../src/protocol/log.ts';
import type { AnswerPreview, CompletionGroup, PathFile } from '../../../src/protocol/messages.ts';
import { read, readAll, readEntries } from '../../../src/storage/database.ts';
import { readRunFiles } from '../../../src/storage/export-run.ts';
import { sha256 } from '../../../src/storage/fingerprint.ts';
import type { LogEntry, RunHead, RunRecord, StoredFile } from '../../../src/storage/records.ts';
import { keyOf, rangeOf } from '../../../src/storage/records.ts';
import { RunWriter } from '../../../src/storage/run-writer.ts';
import { methodConfig } from '../training/toy-methods.ts';
import { toyConfig, toyRecord } from '../training/toy-run.ts';

export type Files = Record<string, Uint8Array>;

const TIME = '2026-01-01T00:00:00.000Z';
export const encode = (text: string) => new TextEncoder().encode(text);
export const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

const tensors = () => writeSafetensors([{ name: 'a', dtype: 'F32', shape: [3], data: new Float32Array([1, 2, 3]) }]);
const adapter = () => new Map([['adapter_config.json', encode('{"r": 3}')], ['adapter_model.safetensors', tensors()]]);
const state = () => new Map([...adapter(), ['optimizer.safetensors', tensors()], ['trainer_state.json', encode('{}')]]);

const row = (step: number): TrainRow => ({
  step, epoch: step, loss: 1 / step, learning_rate: 1e-4, grad_norm: 1, tokens_per_second: 1, step_time_ms: 1, gpu_memory_mb: 1,
  num_tokens: step, samples: step, elapsed_s: step, time: TIME,
});

/** Bytes that begin as a picture of that kind does; a PNG says that it has 4 × 4 pixels. */
export function pictureBytes(type: 'png' | 'jpeg' | 'webp' | 'gif', note = 1): Uint8Array<ArrayBuffer> {
  const header = {
    png: [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13, 0x49, 0x48, 0x44, 0x52, 0, 0, 0, 4, 0, 0, 0, 4],
    jpeg: [0xff, 0xd8, 0xff, 0xe0],
    webp: [...encode('RIFF'), 32, 0, 0, 0, ...encode('WEBP')],
    gif: [...encode('GIF89a')],
  }[type];
  return Uint8Array.from([...header, ...new Array<number>(24).fill(note)]);
}

export function picture(type: 'png' | 'jpeg' | 'webp' | 'gif', note = 1): Blob {
  return new Blob([pictureBytes(type, note)], { type: `image/${type}` });
}

function answer(index: number, image: Blob | null): AnswerPreview {
  return {
    index,
    id: `sample ${index}`,
    prompt: 'What is there?',
    truth: '检测到1个设备：\n1. 路灯\n   状态：亮\n   <box>(10,20),(30,40)</box>',
    answer: 'none \ud83c\udf0a\u2028 "quoted"',
    truthBoxes: [{ box: [10, 20, 30, 40], label: '路灯 亮' }],
    // Not what the answer's words say: they must come back as they were stored.
    answerBoxes: [{ box: [-1.5, 0.25, 1000, 7], label: 'as drawn' }],
    before: index === 0 ? null : { answer: 'a road', boxes: [{ box: [1, 2, 3, 4], label: '' }] },
    image,
  };
}

/** A run of supervised fine-tuning: log with gaps, notices, a rolling state, a start and a reference, answers with pictures. */
export async function storeSft(id: string): Promise<RunWriter> {
  const writer = await RunWriter.create(toyRecord(id, toyConfig({ learning_rate: 0.01 })));
  writer.append([{ kind: 'train', row: row(1) }, { kind: 'train', row: { ...row(2), entropy: Number.NaN } }], { status: 'stopped', step: 2, lastLoss: 0.5, finalMetrics: { eval_loss: 0.4, note: null } });
  writer.append([{ kind: 'val', row: { step: 2, epoch: 2, eval_loss: 0.4, eval_f1: Number.NaN, eval_runtime: 1, eval_samples: 3, time: TIME } }]);
  writer.notice({ step: 2, level: 'info', message: 'hello', key: 'k', values: { a: 1, b: 'c' }, time: TIME });
  await writer.writeDirectory('start', 0, adapter());
  await writer.writeDirectory('reference', 0, new Map([['log_probs.f64', new Uint8Array(16).fill(7)]]));
  await writer.writeDirectory('checkpoint-1', 1, state());
  await writer.writeDirectory('resume', 2, state());
  await writer.writeDirectory('best', 2, adapter(), { best: { val_accuracy: 0.5, step: 2, epoch: 2, metric: 'eval_loss', value: 0.4, path: 'best' } });
  const lines = (step: number) => `${JSON.stringify({ step, index: 0, id: 'sample 0', prompt: 'What is there?', truth: 't', answer: 'a' })}\n`;
  await writer.writeAnswers(0, [], lines(0));
  await writer.writeAnswers(2, [answer(0, picture('png')), answer(4, picture('jpeg')), answer(7, null)], lines(2));
  await writer.flush();
  return writer;
}

function group(step: number, sample: number): CompletionGroup {
  const completion = (i: number) => ({
    text: `answer ${i}\nof ${sample}`,
    boxes: [{ box: [i, 1.5, 2, 3] as [number, number, number, number], label: 'drawn' }],
    tokens: 5 + i,
    truncated: i === 1,
    // A user's own reward may have the name of a column.
    rewards: { format: i / 3, step: -1, reward: null, extra: 3 },
    reward: i === 0 ? null : 0.1 * i,
    advantage: i - 0.5,
  });
  // Some samples have further columns and an image, others have not.
  const more = sample % 2 === 0 ? { extra: { site: 'north', limits: [1, null] }, imageSize: { width: 96, height: 64 } } : {};
  return { step, sample, id: `prompt ${sample}`, prompt: 'p', truth: 't', ...more, truthBoxes: [{ box: [0, 0, 1, 1], label: 'x' }], completions: [completion(0), completion(1)] };
}

/** A run of GRPO: sampled answers of two steps, a prompt that was drawn twice, pictures of three kinds. */
export async function storeGrpo(id: string): Promise<RunWriter> {
  const writer = await RunWriter.create(toyRecord(id, methodConfig({ method: 'grpo' })));
  writer.append([{ kind: 'train', row: row(1) }, { kind: 'train', row: row(2) }], { status: 'finished', step: 2, lastLoss: 0.5 });
  await writer.writeDirectory('checkpoint-samples-8', 2, adapter());
  for (const [sample, type] of [[0, 'png'], [3, 'webp'], [12, 'jpeg']] as const) await writer.keepSampleImage(sample, picture(type, sample));
  await writer.writeCompletions(1, [group(1, 3), group(1, 0)]);
  await writer.writeCompletions(100_000, [group(100_000, 12), group(100_000, 12)]);
  const line = { step: 2, index: 5, id: 'sample 5', prompt: 'p', truth: 't', answer: 'a', reward: 0.25, rewards: { format: null, bbox: 0.5 } };
  await writer.writeAnswers(2, [answer(5, picture('webp'))], `${JSON.stringify(line)}\n`);
  await writer.flush();
  return writer;
}

export async function pack(id: string): Promise<Blob> {
  return zipFiles((await readRunFiles(id)).map(({ path, file }) => ({ path, data: file })));
}

export async function unpack(id: string): Promise<Files> {
  return unzipSync(new Uint8Array(await (await pack(id)).arrayBuffer()));
}

export function archive(files: Files): PathFile {
  return { path: 'run.zip', file: new Blob([zipSync(files) as Uint8Array<ArrayBuffer>]) };
}

interface ManifestJson extends Record<string, unknown> {
  files: StoredFile[];
  directories: Record<string, { files: { path: string }[]; [field: string]: unknown }>;
}

/** The archive's files with a changed manifest. */
export function withManifest(files: Files, change: (manifest: ManifestJson) => void): Files {
  const manifest = JSON.parse(decode(files['lorikeet_run.json'])) as ManifestJson;
  change(manifest);
  return { ...files, 'lorikeet_run.json': encode(JSON.stringify(manifest)) };
}

/** The archive's files with other content under a path, and an honest size and checksum for it: what is wrong is only the content. */
export async function withFile(files: Files, path: string, content: Uint8Array | string): Promise<Files> {
  const bytes = typeof content === 'string' ? encode(content) : content;
  const entry = { path, size: bytes.length, sha256: await sha256(bytes) };
  return withManifest({ ...files, [path]: bytes }, (manifest) => {
    manifest.files = [...manifest.files.filter((file) => file.path !== path), entry];
  });
}

/** All records of a run as plain data: without its id, without storage tokens, log rows by kind. */
export async function recordsOf(id: string): Promise<Record<string, unknown>> {
  const run = (await read<RunRecord>(keyOf.run(id)))!;
  const head = (await read<RunHead>(keyOf.head(id)))!;
  const entries = (await readAll<LogEntry[]>(rangeOf.rows(id))).flat();
  const answers = (await read<AnswerPreview[]>(keyOf.answers(id))) ?? [];
  const files: Record<string, unknown> = {};
  for (const [name, { token, files: listed }] of Object.entries(head.directories)) {
    for (const { path } of listed) files[`${name}/${path}`] = (await contentOf(await read<Blob>(keyOf.file(id, token, path)))).bytes;
  }
  const numbered = async (range: IDBKeyRange) => (await readEntries<unknown>(range)).map(([key, value]) => [key[2], value]);
  return {
    run: { ...run, id: '' },
    head: { ...head, log: undefined, directories: Object.fromEntries(Object.entries(head.directories).map(([name, directory]) => [name, { ...directory, token: '' }])) },
    ...Object.fromEntries((['train', 'val', 'notice'] as const).map((kind) => [kind, entries.filter((entry) => entry.kind === kind)])),
    files,
    predictions: await numbered(rangeOf.predictions(id)),
    answers: await Promise.all(answers.map(async (answer) => ({ ...answer, image: answer.image && (await contentOf(answer.image)) }))),
    completions: await numbered(rangeOf.completions(id)),
    images: await Promise.all((await readEntries<Blob>(rangeOf.sampleImages(id))).map(async ([key, image]) => [key[2], await contentOf(image)])),
  };
}

async function contentOf(blob: Blob | undefined): Promise<{ type: string; bytes: number[] }> {
  if (!blob) throw new Error('The record is not there.');
  return { type: blob.type, bytes: [...new Uint8Array(await blob.arrayBuffer())] };
}
