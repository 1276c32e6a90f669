import { describe, expect, it } from 'vitest';
import { difference } from '../../../src/app/pairs/difference.ts';

const marked = (pieces: { text: string; own: boolean }[]) => pieces.map(({ text, own }) => (own ? `[${text}]` : text)).join('');

describe('difference of two answers', () => {
  it.each([
    ['box (38,281)', 'box (32,281)', 'box ([38],281)', 'box ([32],281)'],
    ['1. 路灯\n2. 护栏', '1. 路灯', '1. 路灯[\n2. 护栏]', '1. 路灯'],
    ['状态：正常', '状态：不亮', '状态：[正常]', '状态：[不亮]'],
    ['same', 'same', 'same', 'same'],
    ['', 'new', '', '[new]'],
  ])('of %j and %j', (a, b, left, right) => {
    const { left: l, right: r } = difference(a, b);
    expect(marked(l)).toBe(left);
    expect(marked(r)).toBe(right);
  });

  it('loses no character, and gives up details in texts without end', () => {
    const a = `start ${'x y '.repeat(3000)}end`;
    const b = `start ${'z y '.repeat(3000)}end`;
    const { left, right } = difference(a, b);
    expect(left.map(({ text }) => text).join('')).toBe(a);
    expect(right.map(({ text }) => text).join('')).toBe(b);
    expect(left.filter(({ own }) => own)).toHaveLength(1);
  });
});
