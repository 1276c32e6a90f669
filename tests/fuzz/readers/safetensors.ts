/** Weight files: length field, header and data. */
import { DTYPE_BYTES } from '../../../src/checkpoint/safetensors-header.ts';
import { SafetensorsFile } from '../../../src/checkpoint/safetensors.ts';
import { blobOf, bytesOf, decode, encode } from '../examples.ts';
import { joined, mutateBytes } from '../mutate/bytes.ts';
import { mutateJson } from '../mutate/json.ts';
import type { Random } from '../../../tools/random.ts';
import type { FuzzReader } from '../reader.ts';

/** A file and its header, taken apart. */
export interface Dissected {
  bytes: Uint8Array<ArrayBuffer>;
  /** Where the data begin. */
  start: number;
  header: unknown;
}

export function dissect(bytes: Uint8Array<ArrayBuffer>): Dissected {
  const start = 8 + Number(new DataView(bytes.buffer).getBigUint64(0, true));
  return { bytes, start, header: JSON.parse(decode(bytes.subarray(8, start))) };
}

/** A changed copy: its length field, its header as bytes, its data, or its header as JSON with a length that fits. */
export function mutateSafetensors(random: Random, { bytes, start, header }: Dissected): Uint8Array<ArrayBuffer> {
  switch (random.below(5)) {
    case 0:
      return mutateBytes(random, bytes, 0, 8);
    case 1:
      return mutateBytes(random, bytes, 8, start);
    case 2:
      return mutateBytes(random, bytes, start);
    default: {
      const text = encode(mutateJson(random, header));
      const length = new DataView(new ArrayBuffer(8));
      length.setBigUint64(0, BigInt(text.length), true);
      return joined(new Uint8Array(length.buffer), text, bytes.subarray(start));
    }
  }
}

export const safetensorsReader: FuzzReader = {
  name: 'safetensors',
  share: 8,
  prepare: async () => {
    const examples = ['tests/fixtures/nf4/bnb_checkpoint_layout.safetensors', 'tests/fixtures/qwen3_vl/lora/adapter_model.safetensors'].map((path) => dissect(bytesOf(path)));
    return async (random) => {
      const file = await SafetensorsFile.open(blobOf(mutateSafetensors(random, random.pick(examples))), 'x.safetensors');
      for (const [name, { dtype, shape }] of file.tensors) {
        const { bytes } = await file.readTensor(name);
        const expected = shape.reduce((product, size) => product * size, DTYPE_BYTES[dtype]);
        if (bytes.length !== expected) return `wrong: ${bytes.length} bytes of ${expected} for ${dtype} [${shape.join()}]`;
      }
      return 'read';
    };
  },
};
