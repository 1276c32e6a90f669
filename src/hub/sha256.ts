/** SHA-256 fed piece by piece (FIPS 180-4): the browser's own wants the whole file in memory. */

const ROUNDS = 64;
const BLOCK = 64;

/** First 32 bits of the fractional parts of roots of the first primes: cube roots for the rounds, square roots to begin with. */
const CUBE_ROOTS = new Int32Array(ROUNDS);
const SQUARE_ROOTS = new Int32Array(8);
for (let n = 2, found = 0; found < ROUNDS; n++) {
  let prime = true;
  for (let d = 2; d * d <= n; d++) if (n % d === 0) prime = false;
  if (!prime) continue;
  CUBE_ROOTS[found] = fraction(Math.cbrt(n));
  if (found < SQUARE_ROOTS.length) SQUARE_ROOTS[found] = fraction(Math.sqrt(n));
  found++;
}

function fraction(value: number): number {
  return ((value - Math.floor(value)) * 2 ** 32) | 0;
}

export class Sha256 {
  private readonly state = SQUARE_ROOTS.slice();
  private readonly schedule = new Int32Array(ROUNDS);
  private readonly block = new Uint8Array(BLOCK);
  private bytes = 0;

  update(data: Uint8Array): void {
    let at = 0;
    const filled = this.bytes % BLOCK;
    this.bytes += data.length;
    if (filled > 0) {
      at = Math.min(BLOCK - filled, data.length);
      this.block.set(data.subarray(0, at), filled);
      if (filled + at < BLOCK) return;
      this.compress(this.block, 0);
    }
    for (; at + BLOCK <= data.length; at += BLOCK) this.compress(data, at);
    this.block.set(data.subarray(at));
  }

  /** Hexadecimal; nothing may be added afterwards. */
  digest(): string {
    const bits = this.bytes * 8;
    const filled = this.bytes % BLOCK;
    const tail = new Uint8Array(filled < BLOCK - 8 ? BLOCK : 2 * BLOCK);
    tail.set(this.block.subarray(0, filled));
    tail[filled] = 0x80;
    const view = new DataView(tail.buffer);
    view.setUint32(tail.length - 8, Math.floor(bits / 2 ** 32));
    view.setUint32(tail.length - 4, bits >>> 0);
    for (let at = 0; at < tail.length; at += BLOCK) this.compress(tail, at);
    return Array.from(this.state, (word) => (word >>> 0).toString(16).padStart(8, '0')).join('');
  }

  private compress(data: Uint8Array, start: number): void {
    const { state, schedule: w } = this;
    for (let i = 0, at = start; i < 16; i++, at += 4) w[i] = (data[at] << 24) | (data[at + 1] << 16) | (data[at + 2] << 8) | data[at + 3];
    for (let i = 16; i < ROUNDS; i++) {
      const x = w[i - 15];
      const y = w[i - 2];
      const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
      const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
      w[i] = (w[i - 16] + s0 + w[i - 7] + s1) | 0;
    }
    let a = state[0];
    let b = state[1];
    let c = state[2];
    let d = state[3];
    let e = state[4];
    let f = state[5];
    let g = state[6];
    let h = state[7];
    for (let i = 0; i < ROUNDS; i++) {
      const big1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
      const big0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
      const t1 = (h + big1 + ((e & f) ^ (~e & g)) + CUBE_ROOTS[i] + w[i]) | 0;
      const t2 = (big0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      h = g;
      g = f;
      f = e;
      e = (d + t1) | 0;
      d = c;
      c = b;
      b = a;
      a = (t1 + t2) | 0;
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
    state[5] += f;
    state[6] += g;
    state[7] += h;
  }
}

/** SHA-256 of a Blob of any size, hexadecimal. @throws the signal's reason */
export async function sha256OfBlob(blob: Blob, signal: AbortSignal): Promise<string> {
  const PIECE = 8 * 2 ** 20;
  const hash = new Sha256();
  for (let at = 0; at < blob.size; at += PIECE) {
    signal.throwIfAborted();
    hash.update(new Uint8Array(await blob.slice(at, at + PIECE).arrayBuffer()));
  }
  return hash.digest();
}
