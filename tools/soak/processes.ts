/** The browser's processes, found under /proc (Linux): what no handler can notice must be ended from outside. */
import { readdirSync, readFileSync } from 'node:fs';

interface Process {
  id: number;
  parent: number;
  command: string;
}

function processes(): Process[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const status = readFileSync(`/proc/${name}/status`, 'utf8');
      return [{ id: Number(name), parent: Number(/^PPid:\s+(\d+)/m.exec(status)?.[1]), command: readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ') }];
    } catch {
      return []; // It ended meanwhile.
    }
  });
}

/** The browser that has this profile open, and all that it started. */
export function processesOf(profile: string): Process[] {
  const all = processes();
  const found = all.filter(({ command }) => `${command} `.includes(`--user-data-dir=${profile} `));
  for (const { id } of found) found.push(...all.filter((process) => process.parent === id && !found.includes(process)));
  return found;
}

/** Ends processes at once, without a word. */
export function killAll(ended: readonly Process[]): void {
  for (const { id } of ended) {
    try {
      process.kill(id, 'SIGKILL');
    } catch {
      // It ended before.
    }
  }
}

/** @returns false when the browser has none */
export function killGpuProcess(profile: string): boolean {
  const found = processesOf(profile).filter(({ command }) => command.includes('--type=gpu-process'));
  killAll(found);
  return found.length > 0;
}
