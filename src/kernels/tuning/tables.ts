/** All tables of variants, to look up what a stored choice means. */
import type { Gpu } from '../../gpu/gpu.ts';
import { runsOn, type Variant } from '../../gpu/variants.ts';
import { ATTENTION } from '../attention-variants.ts';
import { DECODE } from '../attention-decode.ts';
import { OUTER_PRODUCTS } from '../outer.ts';
import { PRODUCTS } from '../product-variants.ts';

const TABLES: readonly { family: string; variants: readonly Variant<never>[] }[] = [PRODUCTS, ATTENTION, DECODE, OUTER_PRODUCTS];

/**
 * Whether a choice means something here: its family has such a variant, and the device what that needs.
 * @param key of a class, as `gpu.choices` has it
 */
export function choiceHolds(gpu: Gpu, key: string, variant: string): boolean {
  const table = TABLES.find(({ family }) => key.startsWith(`${family}: `));
  return table?.variants.some((candidate) => candidate.name === variant && runsOn(gpu, candidate)) ?? false;
}
