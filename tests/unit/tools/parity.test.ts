import { describe, expect, it } from 'vitest';
import { compare, compareText, EXACT, failed, formatCheck, formatVerdict } from '../../../tools/parity/check.ts';
import { llavaMessages } from '../../../tools/parity/llava-messages.ts';

describe('compare', () => {
  it('measures the error that the limit names', () => {
    const actual = [1, 10.5, -2];
    const expected = [1, 10, -2];
    expect(compare('x', actual, expected, { measure: 'abs', tolerance: 0.5 })).toMatchObject({ ok: true, maxAbs: 0.5, maxRel: 0.05, value: 0.5 });
    expect(compare('x', actual, expected, { measure: 'rel', tolerance: 0.04 })).toMatchObject({ ok: false, value: 0.05 });
    expect(compare('x', actual, expected, { measure: 'relL2', tolerance: 1 }).value).toBeCloseTo(0.5 / Math.sqrt(105), 12);
    expect(compare('x', actual, expected, EXACT)).toMatchObject({ ok: false, value: 1, note: 'worst at 1: expected 10, got 10.5; 1 of 3 differ' });
    expect(compare('x', expected, expected, EXACT)).toMatchObject({ ok: true, value: 0 });
  });

  it.each([
    ['another length', [1, 2], [1], 'expected 1 values, got 2'],
    ['nothing at all', [], [], 'there is nothing to compare'],
    ['NaN', [NaN], [1], 'element 0: expected 1, got NaN'],
    ['infinity on both sides', [Infinity], [Infinity], 'element 0: expected Infinity, got Infinity'],
  ])('fails for %s, whatever the tolerance', (_, actual, expected, note) => {
    expect(compare('x', actual, expected, { measure: 'abs', tolerance: Infinity })).toMatchObject({ ok: false, note });
  });

  it('measures an expected zero tensor absolutely', () => {
    expect(compare('x', [0.5, 0], [0, 0], { measure: 'relL2', tolerance: 0.1 })).toMatchObject({ ok: false, value: 0.5 });
  });
});

describe('compareText', () => {
  it('says where texts part', () => {
    expect(compareText('x', 'same', 'same').ok).toBe(true);
    expect(compareText('x', 'abcd', 'abXd')).toMatchObject({ ok: false, note: 'at 2: expected "abXd", got "abcd"' });
    expect(compareText('x', 'ab', 'abc').ok).toBe(false);
  });
});

describe('lines', () => {
  it('prints verdict, name, errors and limit', () => {
    expect(formatCheck(compare('a/b', [1.5], [1], { measure: 'abs', tolerance: 0.25 }), 6)).toBe(
      'FAIL  a/b     max abs 5.00e-1    max rel 5.00e-1    abs 5.00e-1 <= 2.50e-1  (worst at 0: expected 1, got 1.5)',
    );
    expect(formatCheck(compare('a', [1], [1], EXACT), 1)).toBe('ok    a  max abs 0          max rel 0          exact');
    expect(formatCheck(failed('a', 'broke off'), 1)).toContain('nan');
  });

  it('counts', () => {
    expect(formatVerdict([failed('a', ''), compare('b', [1], [1], EXACT)])).toBe('2 checks: 1 ok, 1 FAIL');
  });
});

describe('LLaVA records as messages', () => {
  it('keep system, all turns, and images in their places', () => {
    const record = { system: 'Be terse.', image: ['a.png', 'b.png'], conversations: [{ from: 'human', value: '<image>\nOne <image> two' }, { from: 'gpt', value: 'Yes.' }, { from: 'human', value: 'And?' }] };
    expect(llavaMessages(record)).toEqual([
      { role: 'system', content: [{ type: 'text', text: 'Be terse.' }] },
      { role: 'user', content: [{ type: 'image', image: 'a.png' }, { type: 'text', text: 'One ' }, { type: 'image', image: 'b.png' }, { type: 'text', text: ' two' }] },
      { role: 'assistant', content: [{ type: 'text', text: 'Yes.' }] },
      { role: 'user', content: [{ type: 'text', text: 'And?' }] },
    ]);
  });
});
