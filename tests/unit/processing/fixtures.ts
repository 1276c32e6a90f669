/** Reading the golden fixtures in Node. */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { readArchitecture } from '../../../src/checkpoint/model-config.ts';
import type { Architecture } from '../../../src/families/architecture.ts';
import type { Media } from '../../../src/protocol/media.ts';
import type { PathFile } from '../../../src/protocol/messages.ts';

const root = (path: string) => fileURLToPath(new URL(`../../fixtures/${path}`, import.meta.url));
const demoRoot = (path: string) => fileURLToPath(new URL(`../../../public/demo/${path}`, import.meta.url));

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- fixture files have their own, documented shapes
export type Json = any;

export const readJson = (path: string): Json => JSON.parse(readFileSync(root(path), 'utf8'));
export const readBlob = (path: string): Blob => new Blob([readFileSync(root(path))]);
export const readDemoJson = (path: string): Json => JSON.parse(readFileSync(demoRoot(path), 'utf8'));
export const readDemoBlob = (path: string): Blob => new Blob([readFileSync(demoRoot(path))]);

/** Side files of a checkpoint folder, null where there is none. */
export const sideFiles = (folder: string) => async (name: string) => (existsSync(root(`${folder}/${name}`)) ? readFileSync(root(`${folder}/${name}`), 'utf8') : null);
/** What the config.json of such a folder describes. */
export const architectureOf = (folder: string): Architecture => readArchitecture(readFileSync(root(`${folder}/config.json`), 'utf8'));
export const demoArchitecture = (): Architecture => readArchitecture(readFileSync(demoRoot('model/config.json'), 'utf8'));
/** Pictures as a sample lists them. */
export const pictures = (...files: PathFile[]): Media<PathFile>[] => files.map((file) => ({ kind: 'image', file }));
export const demoSideFiles = async (name: string) => (existsSync(demoRoot(`model/${name}`)) ? readFileSync(demoRoot(`model/${name}`), 'utf8') : null);

export interface Tensor {
  shape: number[];
  data: Float32Array | Uint8Array;
}

/** F32 and U8 tensors of a safetensors file. */
export function readTensors(path: string): Record<string, Tensor> {
  const file = readFileSync(root(path));
  const headerLength = Number(file.readBigUInt64LE(0));
  const header = JSON.parse(file.toString('utf8', 8, 8 + headerLength)) as Record<string, { dtype: string; shape: number[]; data_offsets: [number, number] }>;
  const tensors: Record<string, Tensor> = {};
  for (const [name, entry] of Object.entries(header)) {
    if (name === '__metadata__') continue;
    const { dtype, shape, data_offsets } = entry;
    const [from, to] = data_offsets;
    const bytes = new Uint8Array(file.subarray(8 + headerLength + from, 8 + headerLength + to));
    tensors[name] = { shape, data: dtype === 'F32' ? new Float32Array(bytes.buffer) : bytes };
  }
  return tensors;
}
