import { expect, test } from 'vitest';
import { checkSetting } from '../../../src/app/settings/layers.ts';
import { readPattern, writePattern } from '../../../src/app/settings/pattern-text.ts';

test('a line is the end of a path, a colon and a number; the last colon counts', () => {
  const text = 'v_proj: 8\n(?:q|k)_proj : 2.5\n\nlm_head：4';
  expect(readPattern(text)).toEqual({ v_proj: 8, '(?:q|k)_proj': 2.5, lm_head: 4 });
  expect(readPattern(writePattern(readPattern(text)))).toEqual(readPattern(text));
  expect(readPattern('  \n')).toEqual({});
  expect(writePattern({})).toBe('');
});

test.each(['v_proj', 'v_proj:', ': 8', 'v_proj: eight', 'a: 1\na: 2', 'v_proj: Infinity'])('%j stays text, and is shown as wrong', (text) => {
  expect(readPattern(text)).toBe(text);
  expect(writePattern(readPattern(text))).toBe(text);
  expect(checkSetting('rank_pattern', readPattern(text))).toEqual({ rule: 'pattern' });
});

test('what a pattern may hold', () => {
  expect(checkSetting('rank_pattern', { v_proj: 8 })).toBeNull();
  expect(checkSetting('alpha_pattern', { v_proj: 0.5 })).toBeNull();
  expect(checkSetting('rank_pattern', { v_proj: 0.5 })).toEqual({ rule: 'whole' });
  expect(checkSetting('rank_pattern', { v_proj: 0 })).toEqual({ rule: 'min', bound: 1 });
  expect(checkSetting('rank_pattern', { '(': 8 })).toEqual({ rule: 'regex' });
  expect(checkSetting('rank_pattern', { '0': 8 })).toMatchObject({ rule: 'other' });
});
