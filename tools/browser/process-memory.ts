/** What a page's processes hold, told by the operating system. */
import { readFileSync } from 'node:fs';
import type { Page } from 'playwright';

export interface ProcessMemory {
  /** JavaScript's heap of the page alone, after a collection, in MiB. */
  pageHeap: number;
  /** Resident memory of the page's process, its workers included, in MiB: now, and the most so far. */
  page: number;
  pageMost: number;
  /** Resident memory of the process that plays or drives the GPU, in MiB. */
  gpu: number;
}

function resident(pid: number, field: 'VmRSS' | 'VmHWM'): number {
  return Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
}

/**
 * Reads the memory of a page opened by openBrowser(), the largest of its kind where there are several. Linux only.
 * @throws Error where the browser tells nothing of its processes
 */
export async function processMemory(page: Page): Promise<ProcessMemory> {
  const tab = await page.context().newCDPSession(page);
  const whole = await page.context().browser()?.newBrowserCDPSession();
  if (!whole) throw new Error('This browser tells nothing of its processes.');
  try {
    await tab.send('HeapProfiler.collectGarbage');
    const { usedSize } = await tab.send('Runtime.getHeapUsage');
    const { processInfo } = await whole.send('SystemInfo.getProcessInfo');
    const most = (type: string, field: 'VmRSS' | 'VmHWM') => Math.max(...processInfo.filter((info) => info.type.toLowerCase() === type).map(({ id }) => resident(id, field)));
    return { pageHeap: usedSize / 2 ** 20, page: most('renderer', 'VmRSS'), pageMost: most('renderer', 'VmHWM'), gpu: most('gpu', 'VmRSS') };
  } finally {
    await Promise.all([tab.detach(), whole.detach()]);
  }
}
