/** Choices drawn from a seed: the same words give the same input on every machine. */

export class Random {
  private state = 0x811c9dc5;

  /** @param words what the draws depend on, such as seed, reader and case */
  constructor(...words: readonly (string | number)[]) {
    for (const character of words.join('/')) this.state = Math.imul(this.state ^ character.codePointAt(0)!, 0x01000193) >>> 0;
  }

  /** From 0 up to but not including 1 (SplitMix32). */
  unit(): number {
    this.state = (this.state + 0x9e3779b9) >>> 0;
    let z = this.state;
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    return ((z ^ (z >>> 16)) >>> 0) / 2 ** 32;
  }

  /** A whole number from 0 up to but not including `end`; 0 where `end` is 0. */
  below(end: number): number {
    return Math.floor(this.unit() * end);
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)];
  }

  chance(probability: number): boolean {
    return this.unit() < probability;
  }
}
