/** What is wrong inside a parquet file, before it is known which file, column and rows it is about. */

export class Damage extends Error {
  /** @param advice what to do, where it is not to write the file again */
  constructor(
    message: string,
    readonly advice?: string,
  ) {
    super(message);
  }
}

/** @throws Damage unless the number is whole and within the bounds */
export function expectBetween(value: number, least: number, most: number, what: string): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new Damage(`${what} is ${value}, expected ${least} to ${most}`);
}
