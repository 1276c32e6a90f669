/** npm run wasm: turns the WebAssembly that is written here as text into the bytes that the page carries. */
import { writeFileSync } from 'node:fs';
import { runCommand } from '../browser/command-line.ts';
import { assembleBlocks, BINARY_FILE } from './assemble.ts';

await runCommand(async () => {
  writeFileSync(BINARY_FILE, await assembleBlocks());
  console.log(`Wrote ${BINARY_FILE}.`);
  return 0;
});
