import { createHash, randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { checkBase, checkRevision, fileAddress, HUB, readModelId } from '../../../src/hub/place.ts';
import { cutIntoPieces } from '../../../src/hub/pieces.ts';
import { Sha256 } from '../../../src/hub/sha256.ts';

describe('a model id', () => {
  it.each([
    ['Qwen/Qwen3-VL-2B-Instruct', 'Qwen/Qwen3-VL-2B-Instruct', null],
    [' https://huggingface.co/Qwen/Qwen3-VL-2B-Instruct/ ', 'Qwen/Qwen3-VL-2B-Instruct', null],
    ['https://huggingface.co/Qwen/Qwen2-VL-2B/tree/v1.0?x=1', 'Qwen/Qwen2-VL-2B', 'v1.0'],
  ])('is read from %s', (text, id, revision) => {
    expect(readModelId(text)).toEqual({ id, revision });
  });

  it.each(['', 'Qwen', 'a/b/c', '../secret', 'a/..', 'https://huggingface.co/', 'a b/c'])('is refused in "%s"', (text) => {
    expect(() => readModelId(text)).toThrow(/no model id/);
  });
});

describe('addresses', () => {
  it('are those that the page was built for, and its own server', () => {
    const origin = 'https://page.example';
    expect(checkBase('', origin, '')).toBe(HUB);
    expect(checkBase('https://mirror.example/', origin, 'https://mirror.example')).toBe('https://mirror.example');
    expect(checkBase('https://page.example/hub', origin, '')).toBe('https://page.example/hub');
    expect(() => checkBase('https://mirror.example', origin, '')).toThrow(/may not fetch/);
    expect(() => checkBase('https://huggingface.co.evil.example', origin, '')).toThrow(/may not fetch/);
    expect(() => checkRevision('../main')).toThrow(/no revision/);
    expect(checkRevision(' ')).toBe('main');
    expect(fileAddress(HUB, 'a/b', 'c0', 'x y.json')).toBe('https://huggingface.co/a/b/resolve/c0/x%20y.json');
  });
});

describe('pieces', () => {
  it('cover every byte of every file once', () => {
    const files = [{ size: 0 }, { size: 10 }, { size: 25 }];
    const pieces = cutIntoPieces(files, 10);
    expect(pieces.map(({ index }) => index)).toEqual([0, 1, 2, 3]);
    expect(pieces.slice(1)).toEqual([10, 10, 5].map((bytes, i) => ({ index: i + 1, file: 2, offset: i * 10, bytes })));
  });
});

describe('SHA-256 in pieces', () => {
  it('is what Node computes, at every length round a block and fed unevenly', () => {
    for (const length of [0, 1, 55, 56, 63, 64, 65, 119, 120, 128, 1000, 100_003]) {
      const bytes = randomBytes(length);
      const hash = new Sha256();
      for (let at = 0, step = 1; at < length; at += step, step = (step * 7) % 301) hash.update(bytes.subarray(at, at + step));
      expect(hash.digest(), `${length} bytes`).toBe(createHash('sha256').update(bytes).digest('hex'));
    }
  });
});
