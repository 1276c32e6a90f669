/** Builds the service worker and tells it which files there are, so that the built page opens without network. */
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Plugin } from 'vite';
import { SERVICE_WORKER } from '../../src/offline/messages.ts';
import { listFiles } from './list-files.ts';

const ENTRY = 'src/offline/service-worker.ts';
/** As src/offline/kept-files.ts counts them. */
const HEX_DIGITS = 32;
const LIST = /^globalThis\.BUILD_FILES = .*\n/;

/**
 * Writes the list of a built folder's files, with their checksums, into its service worker; an earlier list is replaced.
 * @throws Error when the folder has no service worker
 */
export function listForServiceWorker(outDir: string): void {
  const file = join(outDir, SERVICE_WORKER);
  const program = readFileSync(file, 'utf8').replace(LIST, '');
  const paths = listFiles(outDir).filter((path) => path !== SERVICE_WORKER);
  const files = Object.fromEntries(paths.map((path) => [path, createHash('sha256').update(readFileSync(join(outDir, path))).digest('hex').slice(0, HEX_DIGITS)]));
  writeFileSync(file, `globalThis.BUILD_FILES = ${JSON.stringify(files)};\n${program}`);
}

/** Adds the service worker to the page's build. Pages of tools, which have no public folder, get none. */
export function offline(): Plugin {
  let outDir = '';
  return {
    name: 'lorikeet-offline',
    apply: ({ publicDir }, { command }) => command === 'build' && publicDir !== false,
    configResolved: ({ root, build }) => void (outDir = resolve(root, build.outDir)),
    buildStart() {
      this.emitFile({ type: 'chunk', id: ENTRY, fileName: SERVICE_WORKER });
    },
    closeBundle: () => listForServiceWorker(outDir),
  };
}
