/** Choosing among variants of a kernel: an ordered table each, in which the first that the device and the request suit wins. */
import { invariant } from '../protocol/errors.ts';
import type { DeviceProfile } from './device-shape.ts';
import type { Gpu } from './gpu.ts';

/** One way to compute what a family of variants computes. */
export interface Variant<Request> {
  /** Unique in its table. */
  readonly name: string;
  /** Only devices of this kind; any when left out. */
  readonly profile?: DeviceProfile;
  readonly feature?: GPUFeatureName;
  /** Threads and bytes of workgroup memory that a workgroup needs. */
  readonly threads: number;
  readonly workgroupBytes: number;
  /** Whether the request's sizes and alignment allow it and make it worth while; any do when left out. */
  readonly suits?: (request: Request) => boolean;
}

function fits<Request>({ device, profile }: Gpu, variant: Variant<Request>): boolean {
  return (
    (variant.profile === undefined || variant.profile === profile) &&
    (variant.feature === undefined || device.features.has(variant.feature)) &&
    variant.threads <= device.limits.maxComputeInvocationsPerWorkgroup &&
    variant.workgroupBytes <= device.limits.maxComputeWorkgroupStorageSize
  );
}

/**
 * The first variant that suits. What `gpu.forced` names comes before all others wherever it can run at all.
 * @param possible what must hold of a variant for a right result, forced ones included
 * @throws Error "Invariant violation" when none is left
 */
export function chooseVariant<Request, V extends Variant<Request>>(gpu: Gpu, table: readonly V[], request: Request, possible: (variant: V) => boolean = () => true): V {
  const forced = table.find(({ name }) => gpu.forced.has(name));
  if (forced && possible(forced)) return forced;
  const chosen = table.find((variant) => fits(gpu, variant) && possible(variant) && (variant.suits?.(request) ?? true));
  invariant(chosen, `no variant among ${table.map(({ name }) => name).join(', ')} runs on this device`);
  return chosen;
}
