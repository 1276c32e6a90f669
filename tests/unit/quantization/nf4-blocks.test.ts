import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { assembleBlocks, BINARY_FILE } from '../../../tools/wasm/assemble.ts';

it('the bytes that the page carries are those of the text', async () => {
  expect(readFileSync(BINARY_FILE, 'utf8')).toBe(await assembleBlocks());
});
