/** Tiled attention, gradient of the queries; also Σ dO · O, which the keys' and values' pass needs. */
import { defineBackwardQ } from './attention-kernel.ts';
import { TileText, times } from './attention-tile.ts';

export const TILED_BACKWARD_Q = defineBackwardQ('tiled', ({ D }) => {
  const text = new TileText(D, 1);
  const { columns: C, width } = text.geometry;
  const key = { name: 'k', head: 'kv' } as const;
  const ofRow = (i: number) => `min(row + ${i}u, lastRow)`;
  return `${text.declarations()}
${text.entry('queries', `let head = group.y;
  let kv = head / GROUP;
  var products = vec4<f32>();
  ${times(width, (w) => `if (thread.x + ${w * C}u < D4) {
    ${times(4, (i) => `products[${i}] += dot(dO[oAt(${ofRow(i)}, head) + thread.x + ${w * C}u], o[oAt(${ofRow(i)}, head) + thread.x + ${w * C}u]);`).join('\n    ')}
  }`).join('\n  ')}
  ${text.reduceRows('own', 'products', (a, b) => `${a} + ${b}`)}
  if (thread.x == 0u) {
    ${times(4, (i) => `if (row + ${i}u < params.rows) { stats[(row + ${i}u) * HEADS + head].y = own[${i}]; }`).join('\n    ')}
  }
  let offsets = vec4<f32>(${times(4, (i) => `stats[${ofRow(i)} * HEADS + head].x`).join(', ')});
  ${text.outputSums('sum')}
  ${text.overKeys(`${text.product('s', { name: 'q', head: 'head' }, key)}
  ${text.product('t', { name: 'dO', head: 'head' }, { name: 'v', head: 'kv' })}
  ${times(4, (j) => `s${j} = select(vec4<f32>(), exp(s${j} * params.scale - offsets) * (t${j} - own) * params.scale, ${text.visible(j)});`).join('\n  ')}
  ${text.weigh('sum', 's', key)}`)}
  ${text.stores((i, w) => `dq[oAt(row + ${i}u, head) + thread.x + ${w * C}u] = sum${i}_${w};`)}`)}`;
});
