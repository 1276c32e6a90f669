/** Activations inside mixers: what the engine holds as one matrix, the fixtures as several tensors. */
import type { Architecture } from '../../src/families/architecture.ts';
import type { Qwen35Config } from '../../src/families/qwen3-5/config.ts';

/** Columns of a matrix that the engine holds. */
interface Columns {
  /** Name of the engine's activation. */
  of: string;
  at: number[];
}

/** Never held: head norms run inside the rotary kernel; states are kept after prompts only, and compared by generation. */
const NOT_HELD = /^(?:full\.\d+\.(?:query|key)_normed|linear\.\d+\.final_state)$/;

/** Whether the engine holds the activation at all. */
export const isHeld = (name: string): boolean => !NOT_HELD.test(name);

/**
 * Which columns of which activation of the engine a stored one is; null for those of the same name and shape.
 * @param name of the fixtures, e.g. "linear.0.query"
 */
export function columnsOf(name: string, { config }: Architecture): Columns | null {
  const [, kind, layer, part] = /^(full|linear)\.(\d+)\.(\w+)$/.exec(name) ?? [];
  if (kind === undefined) return null;
  const { linearNumKeyHeads, linearKeyHeadDim, linearNumValueHeads, linearValueHeadDim, numAttentionHeads, headDim } = config as Qwen35Config;
  const keys = linearNumKeyHeads * linearKeyHeadDim;
  const range = (from: number, count: number) => Array.from({ length: count }, (_, i) => from + i);
  if (kind === 'linear') {
    const starts: Record<string, [number, number]> = { query: [0, keys], key: [keys, keys], value: [2 * keys, linearNumValueHeads * linearValueHeadDim] };
    return Object.hasOwn(starts, part) ? { of: `linear.qkv.${layer}`, at: range(...starts[part]) } : { of: `linear.${part}.${layer}`, at: [] };
  }
  if (part !== 'query' && part !== 'gate') return { of: `full.${part}.${layer}`, at: [] };
  const heads = range(0, numAttentionHeads);
  return { of: `full.q.${layer}`, at: heads.flatMap((head) => range(head * 2 * headDim + (part === 'gate' ? headDim : 0), headDim)) };
}

/** The columns of a matrix of this width; all of them when none are named. */
export function takeColumns(values: Float32Array, width: number, at: readonly number[]): Float32Array {
  if (at.length === 0) return values;
  const taken = new Float32Array((values.length / width) * at.length);
  for (let i = 0; i < taken.length; i++) taken[i] = values[Math.floor(i / at.length) * width + at[i % at.length]];
  return taken;
}
