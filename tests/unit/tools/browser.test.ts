import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { formatDuration, formatTable, wholeNumber } from '../../../tools/browser/command-line.ts';
import { isStale } from '../../../tools/browser/ensure-build.ts';
import { listFiles } from '../../../tools/browser/list-files.ts';
import { resolveInMount, servePage } from '../../../tools/browser/serve.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lorikeet-test-'));
  mkdirSync(join(folder, 'public/sub'), { recursive: true });
  writeFileSync(join(folder, 'public/sub/a b.json'), '{"a":1}');
  writeFileSync(join(folder, 'public/index.html'), '<title>page</title>');
  writeFileSync(join(folder, 'public/.hidden'), 'x');
  writeFileSync(join(folder, 'secret.txt'), 'secret');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('build freshness', () => {
  it('is stale when missing, when a source is newer, and when a source was deleted', () => {
    const built = join(folder, 'built.html');
    const source = join(folder, 'public');
    expect(isStale(built, [source])).toBe(true);
    writeFileSync(built, '');
    utimesSync(built, new Date(), new Date(Date.now() + 60_000));
    expect(isStale(built, [source, join(folder, 'missing')])).toBe(false);
    const later = new Date(Date.now() + 120_000);
    utimesSync(join(source, 'sub/a b.json'), later, later);
    expect(isStale(built, [source])).toBe(true);
    rmSync(join(source, 'sub/a b.json'));
    expect(isStale(built, [source])).toBe(false);
    utimesSync(join(source, 'sub'), later, later);
    expect(isStale(built, [source])).toBe(true);
  });
});

describe('serving folders', () => {
  it('lists files without hidden ones', () => {
    expect(listFiles(join(folder, 'public'))).toEqual(['index.html', 'sub/a b.json']);
  });

  it('resolves names inside the folder only', () => {
    const mount = { route: '/files/', folder: join(folder, 'public') };
    expect(resolveInMount(mount, '/files/sub/a%20b.json?x=1')).toBe(join(folder, 'public/sub/a b.json'));
    for (const url of ['/files/../secret.txt', '/files/%2e%2e/secret.txt', '/files/%2e%2e%2fsecret.txt', '/files//etc/passwd', '/files/sub', '/files/%00', '/files/%E0', '/other/x']) {
      expect(resolveInMount(mount, url), url).toBeUndefined();
    }
  });

  it('serves the page and the mounted files on loopback', async () => {
    const server = await servePage(join(folder, 'public'), [{ route: '/files/', folder: join(folder, 'public') }]);
    try {
      expect(server.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/$/);
      expect(await (await fetch(server.url)).text()).toContain('page');
      expect(await (await fetch(`${server.url}files/sub/a%20b.json`)).json()).toEqual({ a: 1 });
      expect((await fetch(`${server.url}files/nothing`)).status).toBe(404);
      expect((await fetch(`${server.url}files/index.html`, { method: 'PUT', body: 'x' })).status).toBe(404);
    } finally {
      await server.close();
    }
  });
});

describe('command-line helpers', () => {
  it('formats durations and tables', () => {
    expect([4.4, 65, 3725].map(formatDuration)).toEqual(['4 s', '1 min 05 s', '1 h 02 min']);
    expect(formatTable([['a', '1'], ['long', '22']], 'lr')).toBe('a      1\nlong  22');
  });

  it('reads whole numbers', () => {
    expect(wholeNumber('steps', '12', 1)).toBe(12);
    expect(() => wholeNumber('steps', 'x', 1)).toThrow('--steps must be a whole number of at least 1, got "x".');
  });
});
