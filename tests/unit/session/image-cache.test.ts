import { describe, expect, it } from 'vitest';
import { ImageCache } from '../../../src/session/image-cache.ts';

const image = (bytes: number) => [{ pixels: new Uint8Array(bytes), height: 1, width: bytes / 3 }];

describe('ImageCache', () => {
  it('keeps what fits and forgets the least recently used', async () => {
    const cache = new ImageCache(100);
    const loads: string[] = [];
    const get = (key: string, bytes = 30) =>
      cache.get(key, async () => {
        loads.push(key);
        return image(bytes);
      });
    for (const key of ['a', 'b', 'c', 'a', 'd']) await get(key);
    expect(cache.bytes).toBe(90);
    expect(loads).toEqual(['a', 'b', 'c', 'd']);
    await get('a');
    await get('c');
    expect(loads).toEqual(['a', 'b', 'c', 'd']);
    await get('b');
    expect(loads).toEqual(['a', 'b', 'c', 'd', 'b']);
    await get('huge', 300);
    await get('huge', 300);
    expect(loads.filter((key) => key === 'huge').length).toBe(2);
    expect(cache.bytes).toBe(90);
  });

  it('loads once for all who wait, and does not keep failures', async () => {
    const cache = new ImageCache();
    let loads = 0;
    const load = async () => {
      if (++loads === 1) throw new Error('unreadable');
      return image(3);
    };
    const results = await Promise.allSettled([cache.get('a', load), cache.get('a', load)]);
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(loads).toBe(1);
    await Promise.all([cache.get('a', load), cache.get('a', load)]);
    expect(loads).toBe(2);
  });
});
