/** Packed NF4 matrices of random weights, without quantising any. */
import { dynamicMap } from '../src/quantization/dynamic-map.ts';
import { nf4Sections, type PackedNf4 } from '../src/quantization/packed-weight.ts';
import { generator } from './random-weights.ts';

/** Words before the codes repeat: a prime, so that no two rows are alike. */
const PERIOD = 1_048_573;

/** Codes of any value, and scales that make weights of deviation 0.02 or so. */
export class RandomNf4 {
  private readonly words = new Uint32Array(PERIOD);

  constructor(seed: number) {
    const next = generator(seed);
    for (let i = 0; i < PERIOD; i++) this.words[i] = next() * 2 ** 32;
  }

  weight(rows: number, cols: number): PackedNf4 {
    const sections = nf4Sections(rows, cols);
    const map = dynamicMap();
    const words = new Uint32Array(sections.map + map.length);
    const skip = (rows * 31 + cols) % PERIOD;
    for (let at = 0; at < sections.nestedAbsmax; ) {
      const from = at === 0 ? skip : 0;
      const piece = this.words.subarray(from, Math.min(PERIOD, from + sections.nestedAbsmax - at));
      words.set(piece, at);
      at += piece.length;
    }
    const floats = new Float32Array(words.buffer);
    floats.fill(0.01, sections.nestedAbsmax, sections.offset);
    floats[sections.offset] = 0.04;
    floats.set(map, sections.map);
    return { kind: 'nf4', rows, cols, words, sections, bytes: words.byteLength };
  }
}
