/** Reference log-probabilities of a run's pairs, kept with the run. */
import type { RunWriter } from '../storage/run-writer.ts';
import type { ReferenceStore } from '../training/methods/reference.ts';

const DIRECTORY = 'reference';
const FILE = 'log_probs.f64';

/** A plain little-endian float64 file: two numbers a pair, chosen and rejected. */
export function referenceStore(writer: RunWriter): ReferenceStore {
  return {
    async read() {
      if (!Object.hasOwn(writer.directories, DIRECTORY)) return null;
      const bytes = (await writer.readDirectory(DIRECTORY)).get(FILE);
      return bytes && bytes.byteLength % 8 === 0 ? new Float64Array(bytes.slice().buffer) : null;
    },
    async write(values) {
      const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
      await writer.writeDirectory(DIRECTORY, 0, new Map([[FILE, bytes.slice()]]));
    },
  };
}
