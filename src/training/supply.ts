/** Samples by their number, all at hand or made when they are needed; a list is one too. */
import { invariant } from '../protocol/errors.ts';

export interface Supply<T> {
  readonly length: number;
  /** The same for the same number. @param index from 0 to below `length` */
  at(index: number): T | undefined | Promise<T>;
}

/** What stands at some numbers, in their order. */
export function take<T>(supply: Supply<T>, indices: readonly number[]): Promise<T[]> {
  return Promise.all(
    indices.map(async (index) => {
      const found = await supply.at(index);
      invariant(found !== undefined, `there is no sample ${index} among ${supply.length}`);
      return found;
    }),
  );
}
