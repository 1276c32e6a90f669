/** --memory: what the run's processes hold as it goes on, so that a leak of any kind shows. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright';
import type { TrainRow } from '../../src/protocol/log.ts';
import { processMemory } from '../browser/process-memory.ts';

/** Steps between two looks: a look has the page collect its garbage. */
const EVERY = 20;

/** Looks at the memory every twentieth step and leaves `memory.csv`, MiB and ms. */
export class MemoryWatch {
  readonly #lines = ['step,page_heap,page_process,gpu_process,gpu_buffers,step_time_ms'];
  #times: number[] = [];
  #looking: Promise<void> = Promise.resolve();

  constructor(private readonly page: Page) {}

  hear(row: TrainRow): void {
    this.#times.push(row.step_time_ms);
    if (row.step % EVERY > 0) return;
    const times = this.#times.sort((a, b) => a - b);
    this.#times = [];
    this.#looking = this.#looking.then(async () => {
      const { pageHeap, page, gpu } = await processMemory(this.page);
      const figures = [pageHeap, page, gpu, row.gpu_memory_mb, times[times.length >> 1]];
      this.#lines.push([row.step, ...figures.map((figure) => figure.toFixed(2))].join(','));
    });
  }

  async write(folder: string): Promise<void> {
    await this.#looking;
    writeFileSync(join(folder, 'memory.csv'), `${this.#lines.join('\n')}\n`);
  }
}
