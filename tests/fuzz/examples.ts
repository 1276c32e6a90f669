/** Valid files that inputs are made from: the demo's and the fixtures'. */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const ROOT = resolve(import.meta.dirname, '../..');

/** @param path from the repository's root */
export function bytesOf(path: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(readFileSync(join(ROOT, path)));
}

export function textOf(path: string): string {
  return new TextDecoder().decode(bytesOf(path));
}

export function jsonOf(path: string): unknown {
  return JSON.parse(textOf(path));
}

export const encode = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);
export const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
export const blobOf = (content: Uint8Array<ArrayBuffer> | string): Blob => new Blob([content]);
