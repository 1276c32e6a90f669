/** Weights in the form in which they lie on the GPU, kept so that no later start has to quantise them again. */
import type { PackedWeight } from './packed-weight.ts';

export interface WeightCache {
  /** Whether something is kept under this name. */
  holds(name: string): boolean;
  /** What was kept under this name, or null: then it has to be made from the model's files. */
  take(name: string): Promise<PackedWeight | null>;
  /** Keeps what was made, and takes its words over. */
  keep(name: string, packed: PackedWeight): Promise<void>;
}
