/** Fields of a protocol-buffers message, one after the other, whoever wrote it. */

export interface WireField {
  number: number;
  /** 0 varint, 1 eight bytes, 2 bytes of a length, 5 four bytes. */
  type: number;
  /** Of a varint; else 0. */
  value: bigint;
  /** Of the other types. */
  bytes: Uint8Array;
}

/**
 * Takes a message apart.
 * @throws RangeError where it ends inside a field, or a field is of a type that no message of today has
 */
export function* wireFields(bytes: Uint8Array): Generator<WireField> {
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      if (at >= bytes.length) throw new RangeError('the message ends inside a number');
      const byte = bytes[at++];
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return BigInt.asUintN(64, value);
    }
    throw new RangeError('a number has more than ten bytes');
  };
  const take = (count: number): Uint8Array => {
    if (count > bytes.length - at) throw new RangeError('the message ends inside a field');
    at += count;
    return bytes.subarray(at - count, at);
  };
  while (at < bytes.length) {
    const key = varint();
    const [number, type] = [Number(key >> 3n), Number(key & 7n)];
    if (type === 0) yield { number, type, value: varint(), bytes: bytes.subarray(0, 0) };
    else if (type === 1 || type === 5) yield { number, type, value: 0n, bytes: take(type === 1 ? 8 : 4) };
    else if (type === 2) yield { number, type, value: 0n, bytes: take(Number(varint())) };
    else throw new RangeError(`a field is of wire type ${type}`);
  }
}
