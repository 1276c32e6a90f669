/** The parquet files of tests/fixtures/parquet. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PathFile } from '../../../../src/protocol/messages.ts';

const FOLDER = join(import.meta.dirname, '../../../fixtures/parquet');

export function bytesOf(name: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(readFileSync(join(FOLDER, name)));
}

export function fixture(name: string, bytes: Uint8Array<ArrayBuffer> = bytesOf(name)): PathFile {
  return { path: name, file: new Blob([bytes]) };
}
