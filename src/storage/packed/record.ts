/** Packed weights in this site's own storage: a folder for each model and form, whole only once its record lies in it. */
import * as v from 'valibot';
import { LorikeetError } from '../../protocol/errors.ts';
import { storageError } from '../database.ts';
import { fingerprintLines } from '../fingerprint.ts';
import { isLocked } from '../locks.ts';
import { walkFolder } from '../walk-folder.ts';

const WEIGHTS = 'weights';
const RECORD = 'weights.json';
/** Grows when packed bytes, or how they are cut, change their meaning: older folders are then made anew. */
export const LAYOUT = 2;
/** A piece is closed before it would grow beyond this; one part alone may be as large. */
export const PIECE_BYTES = 96 * 2 ** 20;
/** Prefix of the lock that whoever writes packed weights holds. */
export const WEIGHTS_LOCK = 'lorikeet-weights-';

const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const Part = v.object({
  name: v.string(),
  kind: v.picklist(['nf4', 'int8', 'bf16', 'f32']),
  rows: count,
  cols: count,
  piece: count,
  offset: count,
  bytes: count,
  /** SHA-256 of its bytes. */
  sha256: v.string(),
});
const Form = v.object({ load_in_4bit: v.boolean(), load_in_8bit: v.boolean(), quantize_vision: v.boolean() });
const Record = v.object({
  layout: v.literal(LAYOUT),
  /** Of the model's files. */
  fingerprint: v.string(),
  name: v.string(),
  form: Form,
  /** How the model's family advises to store weights. */
  advice: v.picklist(['nf4', 'int8']),
  parts: v.array(Part),
  /** Files beside the weights, kept whole. */
  texts: v.array(v.string()),
  /** Headers of the weight files, and how large these are. */
  shards: v.array(v.object({ name: v.string(), size: count })),
  madeAt: v.string(),
});

export type PackedPart = v.InferOutput<typeof Part>;
/** The settings that decide how weights are packed. */
export type PackedForm = v.InferOutput<typeof Form>;
export type PackedRecord = v.InferOutput<typeof Record>;

/** Packed weights as the page lists them. */
export interface StoredWeights {
  key: string;
  /** Null for a folder that was not finished, or is of another version. */
  record: PackedRecord | null;
  bytes: number;
  busy: boolean;
}

type Folder = FileSystemDirectoryHandle & { values(): AsyncIterable<FileSystemHandle> };

/** Folder of a model's weights in one form. @param fingerprint of the model, or what stands for it until it is known */
export function packedKey(fingerprint: string, { load_in_4bit, load_in_8bit, quantize_vision }: PackedForm): Promise<string> {
  return fingerprintLines([`layout ${LAYOUT}`, fingerprint, JSON.stringify([load_in_4bit, load_in_8bit, quantize_vision])]);
}

export async function packedFolder(): Promise<FileSystemDirectoryHandle> {
  return (await navigator.storage.getDirectory()).getDirectoryHandle(WEIGHTS, { create: true });
}

/** The record of whole weights; null when there are none, they were not finished, or a piece has another size. */
export async function readPacked(key: string): Promise<{ folder: FileSystemDirectoryHandle; record: PackedRecord } | null> {
  try {
    const folder = await (await packedFolder()).getDirectoryHandle(key);
    const parsed = v.safeParse(Record, JSON.parse(await (await (await folder.getFileHandle(RECORD)).getFile()).text()));
    if (!parsed.success) return null;
    const sizes = new Map<number, number>();
    for (const { piece, offset, bytes } of parsed.output.parts) sizes.set(piece, Math.max(sizes.get(piece) ?? 0, offset + bytes));
    for (const [piece, size] of sizes) if ((await (await folder.getFileHandle(pieceName(piece))).getFile()).size !== size) return null;
    return { folder, record: parsed.output };
  } catch {
    return null;
  }
}

/** Whole weights of a model in one form, whatever their folder is called. */
export async function findPacked(fingerprint: string, form: PackedForm): Promise<{ folder: FileSystemDirectoryHandle; record: PackedRecord } | null> {
  for await (const entry of ((await packedFolder()) as Folder).values()) {
    const kept = entry.kind === 'directory' ? await readPacked(entry.name) : null;
    if (kept?.record.fingerprint === fingerprint && (Object.keys(form) as (keyof PackedForm)[]).every((key) => kept.record.form[key] === form[key])) return kept;
  }
  return null;
}

/** Makes a folder whole. */
export async function finishPacked(folder: FileSystemDirectoryHandle, record: PackedRecord): Promise<void> {
  await writeFile(folder, RECORD, JSON.stringify(record));
}

export const pieceName = (piece: number) => `piece-${String(piece).padStart(4, '0')}`;

export async function writeFile(folder: FileSystemDirectoryHandle, name: string, content: string | Blob): Promise<void> {
  const writable = await (await folder.getFileHandle(name, { create: true })).createWritable();
  await new Blob([content]).stream().pipeTo(writable);
}

export async function listPacked(): Promise<StoredWeights[]> {
  const list: StoredWeights[] = [];
  for await (const entry of ((await packedFolder()) as Folder).values()) {
    if (entry.kind !== 'directory') continue;
    const files = await walkFolder(entry as FileSystemDirectoryHandle);
    const bytes = files.reduce((sum, { file }) => sum + file.size, 0);
    list.push({ key: entry.name, record: (await readPacked(entry.name))?.record ?? null, bytes, busy: await isLocked(WEIGHTS_LOCK + entry.name) });
  }
  return list.sort((a, b) => ((a.record?.name ?? a.key) < (b.record?.name ?? b.key) ? -1 : 1));
}

/** @throws LorikeetError "model-locked" while a tab is writing them */
export async function deletePacked(key: string): Promise<void> {
  if (await isLocked(WEIGHTS_LOCK + key)) {
    throw new LorikeetError('model-locked', 'These weights are being written in another tab or window.', 'Wait until the model is loaded there.', { file: key });
  }
  try {
    await (await packedFolder()).removeEntry(key, { recursive: true });
  } catch (error) {
    throw storageError(error);
  }
}
