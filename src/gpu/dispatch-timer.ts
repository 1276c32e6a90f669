/** GPU time of single dispatches, by timestamp queries: what a kernel takes, without what it takes to ask for it. */
import { invariant } from '../protocol/errors.ts';
import { readStamps } from './timestamps.ts';

/** Most queries that a set may have. */
const SET_QUERIES = 4096;

export interface DispatchTime {
  kernel: string;
  /** Workgroups. */
  groups: readonly number[];
  ms: number;
}

/**
 * Set as `gpu.timer` it puts every dispatch into a pass of its own; to be read after the last of them.
 * Browsers round times to 0.1 ms unless told otherwise, so what is shorter is to be repeated within one pass or summed over many.
 */
export class DispatchTimer {
  private readonly dispatches: Omit<DispatchTime, 'ms'>[] = [];
  private readonly sets: GPUQuerySet[] = [];

  /** @throws Error "Invariant violation" on a device without timestamp-query */
  constructor(private readonly device: GPUDevice) {
    invariant(device.features.has('timestamp-query'), 'the device has no timestamp queries');
  }

  /** Queries of the next dispatch. */
  take(kernel: string, groups: readonly (number | undefined)[]): GPUComputePassTimestampWrites {
    const query = 2 * this.dispatches.length;
    if (query % SET_QUERIES === 0) this.sets.push(this.device.createQuerySet({ type: 'timestamp', count: SET_QUERIES }));
    this.dispatches.push({ kernel, groups: groups.filter((count) => count !== undefined) });
    const first = query % SET_QUERIES;
    return { querySet: this.sets[this.sets.length - 1], beginningOfPassWriteIndex: first, endOfPassWriteIndex: first + 1 };
  }

  /** Milliseconds of each dispatch in their order, once all that was recorded has been sent. The timer is used up. */
  async read(): Promise<DispatchTime[]> {
    const { device, dispatches, sets } = this;
    const times: DispatchTime[] = [];
    for (const [i, set] of sets.entries()) {
      const count = Math.min(SET_QUERIES, 2 * dispatches.length - i * SET_QUERIES);
      const stamps = await readStamps(device, set, count);
      for (let at = 0; at < count; at += 2) times.push({ ...dispatches[(i * SET_QUERIES + at) / 2], ms: Number(stamps[at + 1] - stamps[at]) / 1e6 });
    }
    return times;
  }
}
