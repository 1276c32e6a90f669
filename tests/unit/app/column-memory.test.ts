import { beforeEach, expect, it, vi } from 'vitest';
import { forgetMapping, rememberedMappings, rememberMapping } from '../../../src/app/state/column-memory.ts';

const layout = (file: string, ...columns: string[]) => ({ file, columns, rows: 1, first: [] });
const mapping = { prompt: 'q', answer: 'a', image: null, boxes: null };

beforeEach(() => {
  const kept = new Map<string, string>();
  vi.stubGlobal('localStorage', { getItem: (key: string) => kept.get(key) ?? null, setItem: (key: string, value: string) => void kept.set(key, value) });
});

it('what columns mean is known for the next file with the same ones, in any order, until it is taken back', () => {
  rememberMapping(['q', 'a', 'extra'], mapping);
  expect(rememberedMappings([layout('next.csv', 'extra', 'a', 'q'), layout('other.csv', 'a', 'q')])).toEqual({ 'next.csv': mapping });
  forgetMapping(mapping);
  expect(rememberedMappings([layout('next.csv', 'q', 'a', 'extra')])).toBeNull();
});

it('only the last fifty are kept, and nothing is made of what is damaged', () => {
  for (let i = 0; i < 51; i++) rememberMapping([`q${i}`, 'a'], { ...mapping, prompt: `q${i}` });
  expect(rememberedMappings([layout('x', 'q0', 'a')])).toBeNull();
  expect(rememberedMappings([layout('x', 'q50', 'a')])).not.toBeNull();
  for (const damaged of ['{', '[["[]",{"answer":1}]]', 'null']) {
    localStorage.setItem('lorikeet.columns', damaged);
    expect(rememberedMappings([layout('x', 'q50', 'a')])).toBeNull();
  }
});
