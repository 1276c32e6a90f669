/** Builds files with any header whatever, so that lying ones can be tested. */

/** A safetensors file from header text or entries and a number of data bytes. */
export function rawFile(header: string | Record<string, unknown>, dataBytes: number, announced?: bigint): Blob {
  const json = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, announced ?? BigInt(json.length), true);
  return new Blob([length, json, new Uint8Array(dataBytes)]);
}

/** One header entry. */
export function entry(dtype: unknown, shape: unknown, offsets: unknown): Record<string, unknown> {
  return { dtype, shape, data_offsets: offsets };
}
