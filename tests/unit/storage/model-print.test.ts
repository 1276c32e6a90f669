import { beforeEach, describe, expect, it } from 'vitest';
import type { PathFile } from '../../../src/protocol/messages.ts';
import { fingerprintModel, printModel } from '../../../src/storage/sources.ts';
import { pretendBrowser } from './pretend-browser.ts';

/** Large enough to be remembered rather than hashed at every start. */
const LARGE = 64 * 2 ** 20;

/** Content that differs only far behind the beginning. */
function weights(last: number, changed = 1000): PathFile {
  const bytes = new Uint8Array(LARGE);
  bytes[LARGE - 1] = last;
  return { path: 'model.safetensors', file: new File([bytes], 'model.safetensors', { lastModified: changed }) };
}

const config: PathFile = { path: 'config.json', file: new File(['{}'], 'config.json') };

beforeEach(() => void pretendBrowser());

describe('a model whose weights were never read as a whole', () => {
  it('is not known by its fingerprint until they were, and from then on wherever the same file comes from', async () => {
    const first = await printModel([config, weights(1)]);
    expect(first.known).toBeNull();
    const whole = await first.whole();
    expect(first.known).toBe(whole);
    expect(whole).toBe(await fingerprintModel([config, weights(1, 2000)]));
    const again = await printModel([config, weights(1)]);
    expect(again.known).toBe(whole);
    expect(again.provisional).toBe(first.provisional);
  });

  it('is told from another by size, time of change and beginning, and after reading by all of it', async () => {
    const [one, later, changed] = [await printModel([weights(1)]), await printModel([weights(1, 3000)]), await printModel([weights(2, 3001)])];
    expect(new Set([one.provisional, later.provisional, changed.provisional]).size).toBe(3);
    expect(await later.whole()).toBe(await one.whole());
    expect(await changed.whole()).not.toBe(await one.whole());
  });
});

it('small files are known at once', async () => {
  const print = await printModel([config]);
  expect(print.known).toBe(await fingerprintModel([config]));
});
