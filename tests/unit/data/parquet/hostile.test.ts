import { describe, expect, it } from 'vitest';
import { literalSpans } from '../../../../src/data/parquet/literal-spans.ts';
import { readRuns } from '../../../../src/data/parquet/runs.ts';
import { CutShort, endOfStruct } from '../../../../src/data/parquet/thrift-shape.ts';

const bytes = (...values: number[]) => Uint8Array.from(values);

describe('runs', () => {
  it('repeats and unpacks', () => {
    // Five times 3; then eight values of three bits, 0 to 7.
    expect([...readRuns(bytes(5 << 1, 3, 3, 0b10001000, 0b11000110, 0b11111010), 3, 13)]).toEqual([3, 3, 3, 3, 3, 0, 1, 2, 3, 4, 5, 6, 7]);
    expect([...readRuns(bytes(), 0, 3)]).toEqual([0, 0, 0]);
    expect([...readRuns(bytes(3, 0b11), 1, 2)]).toEqual([1, 1]);
  });

  it('believes no run that is longer than what is asked for', () => {
    expect(() => readRuns(bytes(0xfe, 0xff, 0xff, 0xff, 0x0f, 1), 1, 10)).toThrow('a run of 2147483647 values stands where 10 are left');
    expect(() => readRuns(bytes(3), 1, 8)).toThrow('0 of 8 values');
    expect(() => readRuns(bytes(1, 1, 1, 1), 1, 8)).toThrow('0 of 8 values');
    expect(() => readRuns(bytes(2, 1), 30, 1)).toThrow('30 bits');
  });
});

describe('headers', () => {
  it('end where they end', () => {
    expect(endOfStruct(bytes(0x15, 4, 0x18, 2, 65, 66, 0, 9), 0)).toBe(7);
    expect(() => endOfStruct(bytes(0x15, 4, 0x18, 9, 65), 0)).toThrow(CutShort);
  });

  it('believes no list, no number and no depth without end', () => {
    expect(() => endOfStruct(bytes(0x19, 0xf5, 0xff, 0xff, 0xff, 0x7f, 0), 0)).toThrow(CutShort);
    expect(() => endOfStruct(new Uint8Array(10_000).fill(0x80).fill(0x15, 0, 1), 0)).toThrow('more than ten bytes');
    expect(() => endOfStruct(new Uint8Array(10_000).fill(0x1c), 0)).toThrow('nested too deeply');
    expect(() => endOfStruct(new Uint8Array(10_000).fill(0x19), 0)).toThrow('nested too deeply');
  });
});

describe('literal pieces of a Snappy stream', () => {
  it('are where they come out unchanged', () => {
    const literal = Array.from({ length: 2000 }, (_, i) => i % 251);
    // 4 bytes, a copy of them, 2000 bytes.
    const stream = bytes(0xd8, 0x0f, 3 << 2, 1, 2, 3, 4, 1, 4, 61 << 2, 1999 & 255, 1999 >> 8, ...literal);
    expect(literalSpans(stream)).toEqual([{ at: 8, length: 2000, source: 12 }]);
  });
});
