import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { shortHash } from '../../../src/offline/kept-files.ts';
import { listForServiceWorker } from '../../../tools/browser/offline.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lorikeet-test-'));
  mkdirSync(join(folder, 'demo'));
  writeFileSync(join(folder, 'index.html'), 'page');
  writeFileSync(join(folder, 'demo/a b.json'), '{}');
  writeFileSync(join(folder, 'service-worker.js'), 'done = Object.keys(BUILD_FILES).length;\n');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const run = () => {
  const world: { BUILD_FILES?: Record<string, string>; done?: number } = {};
  runInNewContext(readFileSync(join(folder, 'service-worker.js'), 'utf8'), world);
  return world;
};

describe('the list in the service worker', () => {
  it('names all other files with the checksums that the page computes, and is replaced by a later one', async () => {
    listForServiceWorker(folder);
    expect(run().done).toBe(2);
    const before = run().BUILD_FILES?.['index.html'];
    expect(before).toBe(await shortHash(new TextEncoder().encode('page')));
    writeFileSync(join(folder, 'index.html'), 'another page');
    listForServiceWorker(folder);
    expect(run().done).toBe(2);
    expect(run().BUILD_FILES?.['index.html']).not.toBe(before);
    expect(run().BUILD_FILES?.['demo/a b.json']).toBe(await shortHash(new TextEncoder().encode('{}')));
  });

  it('wants a service worker', () => {
    rmSync(join(folder, 'service-worker.js'));
    expect(() => listForServiceWorker(folder)).toThrow(/service-worker/);
  });
});
