import { expect, test } from 'vitest';
import { bf16ToFloat32, f16ToFloat32, float32ToBf16 } from '../../../src/quantization/bf16.ts';

const bits = (...words: number[]) => new Float32Array(Uint32Array.from(words).buffer);

test('every bf16 pattern survives the way to float32 and back', () => {
  const all = Uint16Array.from({ length: 65536 }, (_, i) => i);
  const back = float32ToBf16(bf16ToFloat32(all));
  for (let i = 0; i < 65536; i++) {
    const isNan = (i & 0x7fff) > 0x7f80;
    if (isNan ? (back[i] & 0x7fff) <= 0x7f80 : back[i] !== i) expect.fail(`pattern ${i.toString(16)} became ${back[i].toString(16)}`);
  }
});

test.each([
  [0x3f808000, 0x3f80, 'tie to the even neighbour below'],
  [0x3f818000, 0x3f82, 'tie to the even neighbour above'],
  [0x3f808001, 0x3f81, 'just above a tie'],
  [0x3f807fff, 0x3f80, 'just below a tie'],
  [0x7f7fffff, 0x7f80, 'the largest float32 rounds to infinity'],
  [0xff800000, 0xff80, 'minus infinity'],
  [0x80000001, 0x8000, 'the smallest negative rounds to minus zero'],
  [0x7f800001, 0x7fc0, 'NaN with a low payload stays NaN'],
])('%#: float32 bits %i give %i (%s)', (from, to) => {
  expect(float32ToBf16(bits(from))[0]).toBe(to);
});

test('bf16 conversion honours views that start inside a buffer', () => {
  expect([...float32ToBf16(Float32Array.of(9, 1, 2).subarray(1))]).toEqual([0x3f80, 0x4000]);
});

test('float16 widens exactly', () => {
  const halves = Uint16Array.of(0x0000, 0x8000, 0x3c00, 0xc000, 0x7bff, 0x0001, 0x83ff, 0x0400, 0x7c00, 0xfc00, 0x3555);
  expect([...f16ToFloat32(halves)]).toEqual([0, -0, 1, -2, 65504, 2 ** -24, -1023 * 2 ** -24, 2 ** -14, Infinity, -Infinity, 0.333251953125]);
  expect(f16ToFloat32(Uint16Array.of(0x7e01))[0]).toBeNaN();
});
