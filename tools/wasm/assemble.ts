/** Assembles src/quantization/nf4-blocks.wat. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import wabt from 'wabt';

const at = (name: string) => fileURLToPath(new URL(`../../src/quantization/${name}`, import.meta.url));

/** Where the assembled bytes lie as text. */
export const BINARY_FILE = at('nf4-blocks-binary.ts');

/** The text that has to be in BINARY_FILE. */
export async function assembleBlocks(): Promise<string> {
  const name = 'nf4-blocks.wat';
  const module = (await wabt()).parseWat(name, readFileSync(at(name), 'utf8'), { simd: true });
  module.validate();
  const base64 = Buffer.from(module.toBinary({}).buffer).toString('base64');
  return `/** ${name}, assembled by \`npm run wasm\`. */\nexport const NF4_BLOCKS =\n  '${base64.match(/.{1,140}/g)!.join("' +\n  '")}';\n`;
}
