import { describe, expect, it } from 'vitest';
import { defineKernel, moduleText, withConstants, type Launch } from '../../../src/gpu/kernel.ts';
import { paramFields, paramsWgsl, writeParams, type ParamValues } from '../../../src/gpu/kernel-params.ts';

const SCALE = defineKernel({
  name: 'scale',
  bindings: { x: 'read array<f32>', index: 'read? array<vec2<u32>>', y: 'write array<f32>' },
  params: { count: 'u32', factor: 'f32', add: 'flag' },
  wgsl: ({ half }: { half: boolean }) => `${half ? 'enable f16;\n' : ''}fn main() {}`,
});

describe('the text of a kernel', () => {
  it('declares bindings and parameters in their order, after directives', () => {
    expect(moduleText(SCALE, { half: true })).toBe(`enable f16;
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> index: array<vec2<u32>>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
struct Params { count: u32, factor: f32, add: u32 }
@group(1) @binding(0) var<uniform> params: Params;
fn main() {}`);
    expect(moduleText(SCALE, { half: false })).toMatch(/^@group[^]*\nfn main\(\) \{\}$/);
  });

  it('declares nothing for a kernel without parameters, since WGSL has no empty struct', () => {
    expect(paramsWgsl({})).toBe('');
  });

  it('has numbers as u32 and booleans among its constants', () => {
    expect(withConstants({ THREADS: 64, CENTERED: false }, 'fn main() {}')).toBe('const THREADS = 64u;\nconst CENTERED = false;\nfn main() {}');
  });

  it('is refused where a declaration is no WGSL', () => {
    const bad = (bindings: Record<string, string>, params = {}) => () => defineKernel({ name: 'bad', bindings: bindings as Record<string, 'read array<f32>'>, params, wgsl: () => '' });
    expect(bad({ x: 'readwrite array<f32>' })).toThrow('bad: binding x has the type "readwrite array<f32>"');
    expect(bad({ x: 'read ' })).toThrow('binding x');
    expect(bad({ 'x y': 'read array<f32>' })).toThrow('"x y" is no WGSL name');
    expect(bad({}, { '2nd': 'u32' })).toThrow('"2nd" is no WGSL name');
  });
});

describe('parameters', () => {
  const types = { count: 'u32', factor: 'f32', add: 'flag' } as const;
  const write = (values: object, u32 = new Uint32Array(4), at = 0, room = 4) => {
    writeParams('scale', paramFields(types), values as ParamValues<typeof types>, { u32, f32: new Float32Array(u32.buffer) }, at, room);
    return u32;
  };

  it('lie in the order of the declaration, whatever the order they are given in', () => {
    const words = write({ add: true, factor: 0.1, count: 0xffffffff });
    expect([words[0], new Float32Array(words.buffer)[1], words[2], words[3]]).toEqual([0xffffffff, Math.fround(0.1), 1, 0]);
    expect(write({ count: 0, factor: -0, add: false })[1]).toBe(0x80000000);
  });

  it('land where they are told to, and never beyond', () => {
    const room = new Uint32Array(8).fill(7);
    write({ count: 1, factor: 2, add: false }, room, 2, 3);
    expect([...room.subarray(0, 2), ...room.subarray(5)].every((word) => word === 7)).toBe(true);
    expect(() => write({ count: 1, factor: 2, add: false }, room, 2, 2)).toThrow('scale: 3 parameters in 2 words');
  });

  it.each([
    [{ factor: 1, add: true }, 'count is undefined'],
    [{ count: 1, factor: 1, add: true, rows: 2 }, 'unknown parameter rows'],
    [{ count: 1.5, factor: 1, add: true }, 'count is 1.5'],
    [{ count: -1, factor: 1, add: true }, 'count is -1'],
    [{ count: 2 ** 32, factor: 1, add: true }, 'count is 4294967296'],
    [{ count: NaN, factor: 1, add: true }, 'count is NaN'],
    [{ count: 1, factor: NaN, add: true }, 'factor is NaN'],
    [{ count: 1, factor: 1e39, add: true }, 'factor is 1e\\+39'],
    [{ count: 1, factor: 1, add: 1 }, 'flag add is 1'],
  ])('%o: refused', (values, message) => {
    expect(() => write(values)).toThrow(new RegExp(`Invariant violation: scale: ${message}`));
  });
});

/** Checked by the compiler alone: each expected error that does not occur is one. */
export function compilerRefuses(buffer: GPUBuffer): void {
  type ScaleLaunch = Launch<(typeof SCALE)['bindings'], (typeof SCALE)['params'], { half: boolean }>;
  const right: ScaleLaunch = { constants: { half: true }, bindings: { x: buffer, y: buffer }, params: { count: 1, factor: 2, add: true }, groups: [1] };
  const wrong: ScaleLaunch[] = [
    // @ts-expect-error a binding is missing
    { ...right, bindings: { x: buffer } },
    // @ts-expect-error an unknown binding
    { ...right, bindings: { x: buffer, y: buffer, z: buffer } },
    // @ts-expect-error a parameter is missing
    { ...right, params: { count: 1, factor: 2 } },
    // @ts-expect-error an unknown parameter
    { ...right, params: { count: 1, factor: 2, add: true, rows: 1 } },
    // @ts-expect-error a flag is no number
    { ...right, params: { count: 1, factor: 2, add: 1 } },
    // @ts-expect-error an unknown constant
    { ...right, constants: { half: true, D: 1 } },
    // @ts-expect-error constants are missing
    { bindings: right.bindings, params: right.params, groups: [1] },
  ];
  void wrong;
}
