import { describe, expect, test } from 'vitest';
import { MAX_HEADER_BYTES } from '../../../src/checkpoint/safetensors-header.ts';
import { SafetensorsFile, writeSafetensors, type NamedTensor } from '../../../src/checkpoint/safetensors.ts';
import { toFloat32, toWeightSource } from '../../../src/checkpoint/tensor-values.ts';
import { expectError } from './expect-error.ts';
import { openTensors } from './fixture-files.ts';
import { entry, rawFile } from './raw-safetensors.ts';

const open = (blob: Blob) => SafetensorsFile.open(blob, 'x.safetensors');
const place = { file: 'x', field: 't' };

describe('published files', () => {
  test('the f32 checkpoint and its bf16 shards hold the same numbers', async () => {
    const whole = await openTensors('tests/fixtures/qwen3_vl/checkpoint/model.safetensors');
    expect(whole.tensors.size).toBe(121);
    expect([...whole.metadata]).toEqual([['format', 'pt']]);
    let seen = 0;
    for (const part of [1, 2]) {
      const shard = await openTensors(`tests/fixtures/qwen3_vl/checkpoint_bf16_sharded/model-0000${part}-of-00002.safetensors`);
      for (const [name, info] of shard.tensors) {
        const [wide, narrow] = await Promise.all([whole.readTensor(name), shard.readTensor(name)]);
        expect(info.shape).toEqual(wide.shape);
        expect(Buffer.compare(Buffer.from(toFloat32(narrow, place).buffer), Buffer.from(wide.bytes.buffer)), name).toBe(0);
        seen++;
      }
    }
    expect(seen).toBe(121);
  });

  test('streaming gives the same bytes in pieces that never cut an element', async () => {
    const file = await openTensors('tests/fixtures/qwen3_vl/checkpoint/model.safetensors');
    const name = 'model.language_model.embed_tokens.weight';
    const { bytes } = await file.readTensor(name);
    const joined = new Uint8Array(bytes.length);
    const sizes: number[] = [];
    for await (const chunk of file.streamTensor(name, 10_001)) {
      joined.set(chunk.bytes, chunk.offset);
      sizes.push(chunk.bytes.length);
    }
    expect(Buffer.compare(joined, bytes)).toBe(0);
    expect(sizes.slice(0, -1).every((size) => size === 10_000)).toBe(true);
    expect(sizes.length).toBe(16);
  });

  test('rows are those of the whole tensor', async () => {
    const file = await openTensors('public/demo/model/model.safetensors');
    const name = 'model.visual.patch_embed.proj.weight';
    const whole = await file.readTensor(name);
    const rows = await file.readRows(name, 3, 10);
    const rowBytes = whole.bytes.length / whole.shape[0];
    expect(rows).toMatchObject({ dtype: 'BF16', shape: [7, 3, 2, 16, 16] });
    expect(Buffer.compare(rows.bytes, whole.bytes.subarray(3 * rowBytes, 10 * rowBytes))).toBe(0);
    expect(() => file.readRows(name, 3, 129)).toThrow(/Invariant violation: rows 3 to 129/);
  });

  test('a tensor that is not there is named', async () => {
    const file = await openTensors('public/demo/model/model.safetensors');
    const error = await expectError(() => file.readTensor('lm_head.weight'), 'tensor-missing', /no tensor lm_head\.weight/);
    expect(error.place).toEqual({ file: 'public/demo/model/model.safetensors', field: 'lm_head.weight' });
  });
});

describe('only what is asked for is read', () => {
  test('opening reads the header, a tensor its own range', async () => {
    const bytes = writeSafetensors([
      { name: 'a', dtype: 'F32', shape: [1000], data: new Float32Array(1000) },
      { name: 'b', dtype: 'F32', shape: [2], data: Float32Array.of(1, 2) },
    ]);
    const ranges: number[] = [];
    const blob = new Blob([bytes]);
    const slice = blob.slice.bind(blob);
    blob.slice = (start = 0, end = blob.size) => {
      ranges.push(end - start);
      return slice(start, end);
    };
    const file = await open(blob);
    expect(toFloat32(await file.readTensor('b'), place)).toEqual(Float32Array.of(1, 2));
    expect(ranges).toEqual([8, bytes.length - 8 - 4008, 8]);
  });

  test('a file that vanished is a missing file', async () => {
    const blob = new Blob([writeSafetensors([])]);
    blob.slice = () => ({ arrayBuffer: () => Promise.reject(new DOMException('gone', 'NotReadableError')) }) as unknown as Blob;
    await expectError(() => open(blob), 'file-missing', /x\.safetensors can no longer be read: gone/);
  });
});

describe('writing', () => {
  const tensors: NamedTensor[] = [
    { name: 'u8', dtype: 'U8', shape: [3], data: Uint8Array.of(1, 2, 3) },
    { name: '__proto__', dtype: 'BF16', shape: [1], data: Uint16Array.of(0x3f80) },
    { name: 'z', dtype: 'F32', shape: [1, 2], data: Float32Array.of(4, 5) },
    { name: 'a "quoted" é', dtype: 'F32', shape: [], data: Float32Array.of(6) },
    { name: 'empty', dtype: 'F32', shape: [0, 4], data: new Float32Array(0) },
  ];

  test('every tensor comes back, aligned to its element', async () => {
    const bytes = writeSafetensors(tensors, { format: 'pt', note: 'x' });
    const file = await open(new Blob([bytes]));
    expect(file.metadata.get('note')).toBe('x');
    expect([...file.tensors.keys()].sort()).toEqual(tensors.map(({ name }) => name).sort());
    for (const { name, dtype, shape, data } of tensors) {
      const tensor = await file.readTensor(name);
      expect({ dtype: tensor.dtype, shape: tensor.shape }).toEqual({ dtype, shape });
      expect([...tensor.bytes]).toEqual([...new Uint8Array(data.buffer, data.byteOffset, data.byteLength)]);
      expect(file.info(name).start % (data.byteLength / Math.max(1, shape.reduce((a, b) => a * b, 1)) || 1)).toBe(0);
    }
    expect(new DataView(bytes.buffer).getBigUint64(0, true) % 8n).toBe(0n);
  });

  test('the same tensors in another order give the same file', () => {
    expect(writeSafetensors([...tensors].reverse())).toEqual(writeSafetensors(tensors));
  });

  test('repeated names and wrong sizes are our own faults', () => {
    expect(() => writeSafetensors([tensors[0], tensors[0]])).toThrow(/Invariant violation: two tensors/);
    expect(() => writeSafetensors([{ ...tensors[0], shape: [4] }])).toThrow(/Invariant violation: tensor u8 has 3 bytes/);
  });
});

describe('hostile files', () => {
  const good = () => entry('F32', [2], [0, 8]);
  const cases: [string, Blob, RegExp][] = [
    ['empty file', new Blob([]), /has 0 bytes/],
    ['seven bytes', new Blob([new Uint8Array(7)]), /has 7 bytes/],
    ['header bomb', rawFile('{}', 0, 2n ** 63n), /announces a header of 9223372036854775808 bytes, allowed/],
    ['header one byte over the limit', rawFile('{}', 0, BigInt(MAX_HEADER_BYTES) + 1n), /allowed are 100000000/],
    ['header longer than the file', rawFile('{}', 0, 3n), /only 10 bytes long/],
    ['header that is no JSON', rawFile('{"a":', 0), /not valid JSON/],
    ['header that is a list', rawFile('[]', 0), /one JSON object, got a list/],
    ['header that is not UTF-8', new Blob([Uint8Array.of(3, 0, 0, 0, 0, 0, 0, 0, 0x22, 0xff, 0x22)]), /not UTF-8/],
    ['truncated data', rawFile({ a: good() }, 7), /Tensor a of x\.safetensors ends at data byte 8, but the file holds only 7/],
    ['data behind the last tensor', rawFile({ a: good() }, 9), /its header describes/],
    ['data without tensors', rawFile({}, 4), /its header describes/],
    ['overlap', rawFile({ a: good(), b: entry('F32', [2], [4, 12]) }, 12), /Tensor b .* overlaps/],
    ['same range twice', rawFile({ a: good(), b: good() }, 8), /overlaps/],
    ['gap', rawFile({ a: good(), b: entry('F32', [1], [12, 16]) }, 16), /leaves a gap/],
    ['gap at the start', rawFile({ a: entry('F32', [1], [4, 8]) }, 8), /leaves a gap/],
    ['end before start', rawFile({ a: entry('F32', [2], [8, 0]) }, 8), /ends at byte 0, before its start at 8/],
    ['size unlike the shape', rawFile({ a: entry('F32', [3], [0, 8]) }, 8), /has 8 bytes, but F32 \[3\] takes 12/],
    ['more bytes than the shape takes', rawFile({ a: entry('F32', [1], [0, 8]) }, 8), /has 8 bytes, but F32 \[1\] takes 4/],
    ['shape whose product overflows', rawFile({ a: entry('U8', [2 ** 32, 2 ** 32], [0, 0]) }, 0), /takes 18446744073709552000/],
    ['unknown dtype', rawFile({ a: entry('F33', [2], [0, 8]) }, 8), /dtype: unknown dtype "F33"/],
    ['dtype from the prototype', rawFile({ a: entry('toString', [2], [0, 8]) }, 8), /unknown dtype/],
    ['negative side', rawFile({ a: entry('F32', [-2], [0, 8]) }, 8), /shape\.0/],
    ['side with a fraction', rawFile({ a: entry('F32', [0.5], [0, 2]) }, 2), /shape\.0/],
    ['side as text', rawFile({ a: entry('F32', ['2'], [0, 8]) }, 8), /shape\.0/],
    ['side beyond exact integers', rawFile('{"a":{"dtype":"U8","shape":[9007199254740993],"data_offsets":[0,0]}}', 0), /shape\.0/],
    ['negative offset', rawFile({ a: entry('F32', [2], [-8, 0]) }, 8), /data_offsets\.0/],
    ['offset with a fraction', rawFile({ a: entry('F32', [2], [0, 8.5]) }, 9), /data_offsets\.1/],
    ['one offset', rawFile({ a: entry('F32', [2], [0]) }, 8), /data_offsets/],
    ['three offsets', rawFile({ a: entry('F32', [2], [0, 8, 8]) }, 8), /data_offsets/],
    ['infinite offset', rawFile('{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,1e999]}}', 8), /data_offsets\.1/],
    ['rank beyond reason', rawFile({ a: entry('U8', Array(17).fill(1), [0, 1]) }, 1), /shape/],
    ['tensor that is null', rawFile({ a: null }, 0), /Tensor a/],
    ['tensor with an unknown field', rawFile({ a: { ...good(), device: 'cuda' } }, 8), /Tensor a/],
    ['metadata that is no object', rawFile({ __metadata__: 'pt' }, 0), /__metadata__/],
    ['metadata that is no text', rawFile({ __metadata__: { format: 1 } }, 0), /__metadata__/],
    ['the same tensor twice', rawFile('{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}', 8), /key "a" twice/],
    ['the same tensor twice, once escaped', rawFile('{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"\\u0061":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}', 8), /key "a" twice/],
    ['a field twice', rawFile('{"a":{"dtype":"F32","dtype":"I32","shape":[2],"data_offsets":[0,8]}}', 8), /key "dtype" twice/],
  ];

  test.each(cases)('%s', async (_, blob, message) => {
    const error = await expectError(() => open(blob), 'file-corrupt', message);
    expect(error.place.file).toBe('x.safetensors');
  });

  test('names from the object prototype are plain names', async () => {
    const header = '{"__proto__":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"constructor":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}';
    const file = await open(rawFile(header, 2));
    expect([...file.tensors.keys()]).toEqual(['__proto__', 'constructor']);
    await expectError(() => file.info('toString'), 'tensor-missing', /toString/);
  });

  test('padding after the header is allowed', async () => {
    expect((await open(rawFile('{}      ', 0))).tensors.size).toBe(0);
  });

  test('a deeply nested header fails as an error, not as a crash', async () => {
    await expectError(() => open(rawFile(`{"a":${'['.repeat(200_000)}${']'.repeat(200_000)}}`, 0)), 'file-corrupt', /Tensor a/);
  });
});

test('weights of other types than floats are refused by name', async () => {
  const tensor = { dtype: 'I8', bytes: new Uint8Array(2) } as const;
  const error = await expectError(() => toWeightSource(tensor, { file: 'f', field: 'w' }), 'tensor-shape', /Tensor w of f has dtype I8/);
  expect(error.place).toEqual({ file: 'f', field: 'w' });
});
