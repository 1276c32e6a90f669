/**
 * npm run shapes: writes a checkpoint of a published model's true shape with random weights, to try devices and memory with.
 * Exit code 0 when written, 1 when not, 2 for a wrong command line.
 */
import { LorikeetError } from '../../src/protocol/errors.ts';
import { writeCheckpoint } from './checkpoint.ts';
import { parseShapeArguments, USAGE } from './options.ts';
import { PUBLISHED } from '../../bench/published-shapes.ts';

const options = parseShapeArguments(process.argv.slice(2));
if (typeof options === 'string') {
  console.error(`${options}\n\n${USAGE}`);
  process.exit(2);
}
const start = performance.now();
try {
  const { bytes, parameters, shards } = writeCheckpoint(options.out, PUBLISHED[options.model], options);
  const seconds = (performance.now() - start) / 1000;
  console.log(`${options.model}: ${parameters.toLocaleString('en')} parameters, ${(bytes / 1e9).toFixed(2)} GB in ${shards.length} ${shards.length === 1 ? 'file' : 'files'}, ${seconds.toFixed(1)} s: ${options.out}`);
} catch (error) {
  const { message, advice } = LorikeetError.from(error);
  console.error(error instanceof LorikeetError ? `${message} ${advice}` : message);
  process.exit(1);
}
