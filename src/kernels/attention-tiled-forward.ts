/** Tiled attention, forward: scores of a tile of keys, softmax over the tiles seen so far, output. */
import { defineForward } from './attention-kernel.ts';
import { TileText, times } from './attention-tile.ts';

/** Below every score; its exponential is 0. */
const LOWEST = '-3.0e38';

export const TILED_FORWARD = defineForward('tiled', ({ D }) => {
  const text = new TileText(D, 1);
  const { columns: C } = text.geometry;
  const key = { name: 'k', head: 'kv' } as const;
  const value = { name: 'v', head: 'kv' } as const;
  return `${text.declarations()}
${text.entry('queries', `let head = group.y;
  let kv = head / GROUP;
  ${text.outputSums('sum')}
  var highest = vec4<f32>(${LOWEST});
  // Of this thread's columns only.
  var total = vec4<f32>();
  ${text.overKeys(`${text.product('s', { name: 'q', head: 'head' }, key)}
  ${times(4, (j) => `let seen${j} = ${text.visible(j)};
  s${j} = select(vec4<f32>(${LOWEST}), s${j} * params.scale, seen${j});`).join('\n  ')}
  ${text.reduceRows('tileHighest', 'max(max(s0, s1), max(s2, s3))', (a, b) => `max(${a}, ${b})`)}
  let next = max(highest, tileHighest);
  let keep = exp(highest - next);
  highest = next;
  ${times(4, (j) => `s${j} = select(vec4<f32>(), exp(s${j} - highest), seen${j});`).join('\n  ')}
  total = fma(total, keep, (s0 + s1) + (s2 + s3));
  ${text.outputs((i, w) => `sum${i}_${w} *= keep[${i}];`).join('\n  ')}
  ${text.weigh('sum', 's', value)}`)}
  ${text.reduceRows('whole', 'total', (a, b) => `${a} + ${b}`)}
  ${text.stores((i, w) => `o[oAt(row + ${i}u, head) + thread.x + ${w * C}u] = sum${i}_${w} / whole[${i}];`)}
  if (thread.x == 0u) {
    let offsets = highest + log(whole);
    ${times(4, (i) => `if (row + ${i}u < params.rows) { stats[(row + ${i}u) * HEADS + head] = vec2<f32>(offsets[${i}], 0.0); }`).join('\n    ')}
  }`)}`;
});
