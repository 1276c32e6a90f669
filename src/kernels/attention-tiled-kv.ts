/** Tiled attention, gradients of keys and values, summed over the query heads that share them. */
import { defineBackwardKv } from './attention-kernel.ts';
import { TileText, times } from './attention-tile.ts';

export const TILED_BACKWARD_KV = defineBackwardKv('tiled', ({ D }) => {
  const text = new TileText(D, 2);
  const { columns: C } = text.geometry;
  const query = { name: 'q', head: 'head' } as const;
  const dOutput = { name: 'dO', head: 'head' } as const;
  return `${text.declarations()}
${text.entry('keys', `let kv = group.y;
  ${text.outputSums('sumK')}
  ${text.outputSums('sumV')}
  ${text.overQueries(`${text.product('s', { name: 'k', head: 'kv' }, query)}
  ${times(4, (j) => `let stat${j} = stats[min(at + thread.x + ${j}u * C, end - 1u) * HEADS + head];
  s${j} = select(vec4<f32>(), exp(s${j} * params.scale - stat${j}.x), ${text.visible(j)});`).join('\n  ')}
  ${text.weigh('sumV', 's', dOutput)}
  ${text.product('t', { name: 'v', head: 'kv' }, dOutput)}
  ${times(4, (j) => `s${j} *= (t${j} - stat${j}.y) * params.scale;`).join('\n  ')}
  ${text.weigh('sumK', 's', query)}`)}
  ${text.stores((i, w) => `let at = thread.x + ${w * C}u; let r = row + ${i}u;
    dk[(r * KV_HEADS + kv) * D4 + at] = sumK${i}_${w}; dv[(r * params.dvStride + params.dvOffset) / 4u + kv * D4 + at] = sumV${i}_${w};`)}`)}`;
});
