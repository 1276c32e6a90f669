/** A device that is tuned without computing anything. */
import type { TunedClass, TuningState } from '../../src/protocol/tuning.ts';

const CLASSES: readonly TunedClass[] = [
  { key: 'product: nt nf4, rows > 128', variant: 'tile 128 × 64', usual: true, milliseconds: 0.62, share: 0.63 },
  { key: 'product: nn nf4, rows > 128', variant: 'tile 32 × 32', usual: false, milliseconds: 0.71, share: 0.55 },
  { key: 'attention: heads of 128', variant: 'tiled', usual: true, milliseconds: 1.4, share: 0.38 },
  { key: 'attention of one token: heads of 128', variant: 'spread', usual: true, milliseconds: 0.02, share: null },
  { key: 'outer product: rows > 512', variant: '512 tokens a workgroup', usual: true, milliseconds: 0.2, share: 0.2 },
];
export const FAKE_CLASSES = CLASSES.length;

/** The state after so many classes of the `total` of this round. */
export function fakeTuning(done: number, total: number, software: boolean): TuningState {
  const classes = CLASSES.slice(0, done).map((tuned) => (software ? { ...tuned, share: null } : tuned));
  return { status: done < total ? 'running' : 'idle', done, total, classes };
}
