/** Random weights of usual size, the same for the same seed, made as fast as a disk can take them. */
import { float32ToBf16 } from '../src/quantization/bf16.ts';

/** Values before they repeat: no multiple of any width, so that no two rows of a matrix are equal. */
const PERIOD = 8_388_593;
const DEVIATION = 0.02;

/** How a tensor is filled. */
export interface Filling {
  dtype: 'BF16' | 'F32';
  /** A number for all elements, or random ones. */
  value: number | 'random';
}

/**
 * What tensors of a name usually hold: gains 1 (0 where the model adds 1), biases 0, decay rates as the gated delta rule starts with,
 * everything else normal with deviation 0.02.
 * @param offsetNorms the family's text norms multiply by 1 + weight
 */
export function fillingOf(name: string, offsetNorms: boolean): Filling {
  if (/\.linear_attn\.norm\.weight$/.test(name)) return { dtype: 'F32', value: 1 };
  if (/\.A_log$/.test(name)) return { dtype: 'F32', value: 1 };
  if (/\.dt_bias$/.test(name)) return { dtype: 'BF16', value: 1 };
  if (/(?:norm\d?|layernorm|ln_q)\.weight$/.test(name)) return { dtype: 'BF16', value: offsetNorms && !name.includes('visual') ? 0 : 1 };
  if (/\.bias$/.test(name)) return { dtype: 'BF16', value: 0 };
  return { dtype: 'BF16', value: 'random' };
}

export class RandomWeights {
  private readonly block: Uint8Array;

  constructor(private readonly seed: number) {
    const values = new Float32Array(PERIOD);
    const next = generator(seed);
    for (let i = 0; i < PERIOD; i++) {
      // The sum of four uniform numbers is close enough to a normal one; its deviation is 1 / √3 of ±1.
      values[i] = (next() + next() + next() + next() - 2) * DEVIATION * Math.sqrt(3);
    }
    this.block = new Uint8Array(float32ToBf16(values).buffer);
  }

  /** Pieces of a tensor's bytes; they share one block, begun at a place of the tensor's own. */
  *bytes(name: string, count: number, { dtype, value }: Filling): Generator<Uint8Array> {
    if (value !== 'random') {
      const values = new Float32Array(count).fill(value);
      yield new Uint8Array(dtype === 'F32' ? values.buffer : float32ToBf16(values).buffer);
      return;
    }
    let at = 2 * (hash(name, this.seed) % PERIOD);
    for (let left = 2 * count; left > 0; ) {
      const piece = this.block.subarray(at, Math.min(this.block.length, at + left));
      yield piece;
      left -= piece.length;
      at = 0;
    }
  }
}

/** Uniform numbers in [0, 1): mulberry32. */
export function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** FNV-1a. */
function hash(text: string, seed: number): number {
  let h = (0x811c9dc5 ^ seed) >>> 0;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193) >>> 0;
  return h;
}
