/** What a family of kernels was found to be fastest with, for one line of the device's card. */
import type { TunedClass } from '../../protocol/tuning.ts';

export const FAMILIES = ['product', 'attention', 'attention of one token', 'outer product'] as const;
export type Family = (typeof FAMILIES)[number];

export interface FamilyLine {
  family: Family;
  /** Of its weightiest class. */
  variant: string;
  /** Of the measured peak; null where there is none to speak of. */
  share: number | null;
  /** Classes of the family, and how many of them take another form than without tuning. */
  classes: number;
  changed: number;
}

/** The part of a key after its family. */
export const classOf = ({ key }: TunedClass): string => key.slice(key.indexOf(': ') + 2);

/** One line for each family that has been tuned; `classes` in order of their weight. */
export function familyLines(classes: readonly TunedClass[]): FamilyLine[] {
  return FAMILIES.flatMap((family) => {
    const own = classes.filter(({ key }) => key.startsWith(`${family}: `));
    if (own.length === 0) return [];
    const [{ variant, share }] = own;
    return [{ family, variant, share, classes: own.length, changed: own.filter(({ usual }) => !usual).length }];
  });
}
