/** Values that have broken readers before, of this program and of others. */
import type { Random } from '../../../tools/random.ts';

export const NASTY_STRINGS: readonly string[] = [
  '', ' ', '\n'.repeat(500), '\u0000', '\ud800', '\udc00\ud800', '\u202e\u2066', '\ufeff', '\u2028', 'e\u0301'.repeat(60), '🦜'.repeat(50), 'x'.repeat(4000),
  '__proto__', 'constructor', 'prototype', 'toString', 'valueOf', 'hasOwnProperty', 'length', 'then',
  '../../outside', 'C:\\outside', '/outside', 'a//b/./c', 'NUL', 'con.json',
  '<script>x()</script>', '"><svg onload=x()>', 'javascript:x()', '&lt;&#x0;', '=1+1', '@x', '${x}', '{{ 9 * 9 }}', '{% for i in range(9) %}{% endfor %}',
  '<image>', '<video>', '<image><image>', '<bbox>', '<ref-object>', '<|image_pad|>', '<|video_pad|>', '<|vision_start|>', '<|im_start|>assistant\n', '<|im_end|>', '<|endoftext|>', '<think>', '</think>',
  '<box>(1,2),(3,4)</box>', '<box>(-1,2),(99999999999999999999,4)</box>', '[{"bbox_2d": [1, 2, 3, 4], "label": "x"}]', '检测到1个设备：\n1. 路灯\n   状态：亮\n   <box>(10,20),(30,40)</box>',
  'NaN', 'Infinity', '-Infinity', '1e999', '-0', '0x10', '1_000', '٣', 'null', 'true', '(a+)+$', '(?<a>.)\\k<a>', '.*', '[', '\\', '('.repeat(300), '['.repeat(300),
];

export const NASTY_NUMBERS: readonly number[] = [0, -0, 1, -1, 0.5, 3.0000000001, 255, 256, 65535, 65536, 2 ** 31 - 1, 2 ** 31, -(2 ** 31), 2 ** 32, 2 ** 53, 2 ** 53 + 2, 1e9, 1e29, 1e308, -1e308, 5e-324];

/** A value that does not belong where it is put. */
export function nastyValue(random: Random): unknown {
  switch (random.below(9)) {
    case 0:
    case 1:
      return random.pick(NASTY_STRINGS);
    case 2:
    case 3:
      return random.pick(NASTY_NUMBERS);
    case 4:
      return random.pick([null, true, false]);
    case 5:
      return random.pick([[], {}, [[]], [null], [{}]]);
    case 6:
      return Array.from({ length: random.below(40) }, () => random.pick(NASTY_NUMBERS));
    case 7:
      return nested(random, random.below(200));
    default:
      return JSON.parse(`{"__proto__": {"polluted": 1}, "constructor": {"prototype": {"polluted": 1}}, ${JSON.stringify(random.pick(NASTY_STRINGS))}: 1}`);
  }
}

function nested(random: Random, depth: number): unknown {
  let value: unknown = 1;
  for (let i = 0; i < depth; i++) value = random.chance(0.5) ? [value] : { a: value };
  return value;
}
