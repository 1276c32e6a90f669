/** Choosing among variants of a kernel: an ordered table each, in which the first that the device and the request suit wins. */
import { invariant } from '../protocol/errors.ts';
import type { DeviceProfile } from './device-shape.ts';
import type { Gpu } from './gpu.ts';

/** One way to compute what a family of variants computes. */
export interface Variant<Request> {
  /** Unique in its table. */
  readonly name: string;
  /** Only devices of this kind take it by themselves; any when left out. */
  readonly profile?: DeviceProfile;
  readonly feature?: GPUFeatureName;
  /** Threads and bytes of workgroup memory that a workgroup needs. */
  readonly threads: number;
  readonly workgroupBytes: number;
  /** Whether the request's sizes and alignment allow it and make it worth while; any do when left out. */
  readonly suits?: (request: Request) => boolean;
}

/** The variants of one family, the most special first, the plainest last. */
export interface VariantTable<Request, V extends Variant<Request>> {
  readonly family: string;
  readonly variants: readonly V[];
  /** Requests of one class are so alike that one variant is best for all of them. */
  readonly classOf: (request: Request) => string;
}

/** What a choice for requests like this one is kept under. */
export const classKey = <Request, V extends Variant<Request>>({ family, classOf }: VariantTable<Request, V>, request: Request): string => `${family}: ${classOf(request)}`;

/** Whether the device has what the variant needs, whatever kind of device it is. */
export function runsOn<Request>({ device: { features, limits } }: Gpu, { feature, threads, workgroupBytes }: Variant<Request>): boolean {
  return (feature === undefined || features.has(feature)) && threads <= limits.maxComputeInvocationsPerWorkgroup && workgroupBytes <= limits.maxComputeWorkgroupStorageSize;
}

/**
 * The variant for a request: what `gpu.forced` names wherever it can run at all, else what `gpu.choices` holds for requests
 * of its class, else the first in the table that suits.
 * @param possible what must hold of a variant for a right result, forced and chosen ones included
 * @throws Error "Invariant violation" when none is left
 */
export function chooseVariant<Request, V extends Variant<Request>>(gpu: Gpu, table: VariantTable<Request, V>, request: Request, possible: (variant: V) => boolean = () => true): V {
  const { variants } = table;
  const forced = variants.find(({ name }) => gpu.forced.has(name));
  if (forced && possible(forced)) return forced;
  const choice = gpu.choices.size > 0 ? gpu.choices.get(classKey(table, request)) : undefined;
  const chosen = choice === undefined ? undefined : variants.find(({ name }) => name === choice);
  if (chosen && runsOn(gpu, chosen) && possible(chosen)) return chosen;
  return tableVariant(gpu, table, request, possible);
}

/** The variant that the table alone gives, as `chooseVariant`. */
export function tableVariant<Request, V extends Variant<Request>>(gpu: Gpu, { variants }: VariantTable<Request, V>, request: Request, possible: (variant: V) => boolean = () => true): V {
  const first = variants.find(
    (variant) => (variant.profile === undefined || variant.profile === gpu.profile) && runsOn(gpu, variant) && possible(variant) && (variant.suits?.(request) ?? true),
  );
  invariant(first, `no variant among ${variants.map(({ name }) => name).join(', ')} runs on this device`);
  return first;
}
