/** English words of the tuning of the device. */
import type { Family } from '../models/tuned-words.ts';

const families: Record<Family, string> = {
  product: 'Products with weights',
  attention: 'Attention',
  'attention of one token': 'Attention while writing',
  'outer product': 'Gradients of the adapter',
};

export const enTuning = {
  tuning: {
    title: 'Fastest form of each kernel',
    begin: 'Tune',
    again: 'Tune again',
    hint: 'Times every form of the kernels on this device and keeps the fastest; takes about ten seconds on a GPU.',
    notNow: 'A run is under way: it keeps the forms that it began with.',
    running: 'Timing the kernels',
    waiting: 'Tuning waits until the GPU is free.',
    families,
    share: (percent: string) => `${percent} of this GPU’s measured peak`,
    all: (n: string) => (n === '1' ? '1 kind of computation' : `${n} kinds of computation`),
    changed: 'chosen here',
    noShare: 'A CPU stands in for the GPU here, so there is no peak to compare with.',
    none: 'Nothing has been timed: the usual forms are in use.',
    softwareText: 'A CPU stands in for the GPU here. The usual forms are in use; tuning starts only when asked for and takes a minute or two.',
  },
};
