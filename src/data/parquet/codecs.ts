/** What parquet pages may be packed with. */
import { decompress as unzstd } from 'fzstd';
import { gunzipSync } from 'fflate';
import { snappyUncompress } from 'hyparquet/src/snappy.js';
import { crc32 } from '../../processing/crc32.ts';
import { Damage } from './damage.ts';

const UNPACK: Readonly<Record<string, (packed: Uint8Array, into: Uint8Array) => Uint8Array>> = {
  SNAPPY: (packed, into) => (snappyUncompress(packed, into), into),
  GZIP: gunzip,
  ZSTD: (packed, into) => unzstd(packed, into),
};

/** The decoder itself compares neither length nor checksum. */
function gunzip(packed: Uint8Array, into: Uint8Array): Uint8Array {
  const unpacked = gunzipSync(packed, { out: into });
  const end = new DataView(packed.buffer, packed.byteOffset + packed.length - 8);
  if (end.getUint32(4, true) !== into.length || end.getUint32(0, true) !== crc32(unpacked)) throw new Damage('a page has another checksum or length than it says');
  return unpacked;
}

/** @throws Damage naming a codec that is not read */
export function checkCodec(codec: string): void {
  if (codec === 'UNCOMPRESSED' || Object.hasOwn(UNPACK, codec)) return;
  throw new Damage(`it is packed with ${codec}, which is not read`, 'Write the file again with Snappy, Zstandard or gzip, or without compression.');
}

/**
 * @param length bytes that have to come out
 * @throws Damage where another number comes out; what the decoders throw
 */
export function unpack(codec: string, packed: Uint8Array<ArrayBuffer>, length: number): Uint8Array<ArrayBuffer> {
  if (codec === 'UNCOMPRESSED') {
    if (packed.length !== length) throw new Damage(`a page of ${packed.length} bytes says that it has ${length}`);
    return packed;
  }
  checkCodec(codec);
  const into = new Uint8Array(length);
  const unpacked = UNPACK[codec](packed, into);
  if (unpacked.length !== length) throw new Damage(`a page unpacks to ${unpacked.length} bytes instead of ${length}`);
  return unpacked.buffer === into.buffer ? into : Uint8Array.from(unpacked);
}
