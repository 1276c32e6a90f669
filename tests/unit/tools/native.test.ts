import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { cosineDistance, largestError, relativeL2 } from '../../../tools/native/checks/numbers.ts';
import { fileFetch } from '../../../tools/native/file-fetch.ts';

describe('fetch of file addresses', () => {
  it('reads from disk, answers 404 for what is missing, and leaves other addresses alone', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'native-'));
    try {
      writeFileSync(join(folder, 'a b.json'), '{"n": 1}');
      const passed: string[] = [];
      const fetchFile = fileFetch(async (input) => {
        passed.push(String(input));
        return new Response('elsewhere');
      });
      const base = `${pathToFileURL(folder).href}/`;
      expect(await (await fetchFile(`${base}a%20b.json`)).json()).toEqual({ n: 1 });
      const missing = await fetchFile(`${base}c.json`);
      expect([missing.ok, missing.status]).toEqual([false, 404]);
      expect(await (await fetchFile('https://example.org/a.json')).text()).toBe('elsewhere');
      expect(passed).toEqual(['https://example.org/a.json']);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('distances', () => {
  it('are infinite for results that are no numbers, and never hide behind a large scale', () => {
    expect(relativeL2([3, 4], [3, 4])).toBe(0);
    expect(relativeL2([3, 5], [3, 4])).toBeCloseTo(0.2);
    expect(relativeL2([NaN, 4], [3, 4])).toBe(Infinity);
    expect(largestError([1, 2.5], [1, 2], [1, 10])).toBeCloseTo(0.05);
    expect(largestError([1, NaN], [1, 2], [1, 10])).toBe(Infinity);
    expect(largestError([1, 3], [1, 2], [1, 0])).toBe(Infinity);
    expect(cosineDistance([1, 0], [0, 2])).toBe(1);
    expect(cosineDistance([1, 2], [2, 4])).toBeCloseTo(0);
  });
});
