/** What the fuzz asks of a reader of files from outside. */
import type { Random } from '../../tools/random.ts';

/**
 * How one input ended when nothing was thrown. "read": taken whole; "told": taken in part or with a remark. Anything
 * else begins with "wrong: " and says what was accepted though it cannot be.
 */
export type Outcome = 'read' | 'told' | `wrong: ${string}`;

/** Makes one input from the draws and reads it; throws what the product throws. */
export type FuzzCase = (random: Random) => Promise<Outcome>;

export interface FuzzReader {
  name: string;
  /** Inputs of this reader per input of the slowest one. */
  share: number;
  /** Reads the examples that inputs are made from. @throws Error when a valid example is not accepted */
  prepare(): Promise<FuzzCase>;
}
