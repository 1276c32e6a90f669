/** Counts the worker's operations and says which faults strike now. The driver is asked synchronously: while it kills, nothing goes on. */
import { isFromOutside, OPERATIONS, type Counts, type Fault, type Operation, type Strike } from '../faults.ts';

const counts = Object.fromEntries(OPERATIONS.map((name) => [name, 0])) as Counts;
const plan = ask('plan', null) as Strike[];
let phase = 'loading';

/** Asks the driver and waits for its answer without giving the thread back. */
export function ask(path: string, body: unknown): unknown {
  const request = new XMLHttpRequest();
  request.open('POST', `/soak/${path}`, false);
  request.send(JSON.stringify(body));
  return JSON.parse(request.responseText) as unknown;
}

/** What the worker is at, for the report. */
export function enter(name: string): void {
  phase = name;
}

export function counted(): Counts {
  return counts;
}

/**
 * Call at every operation, before it is done.
 * @param detail more of where this is, such as the record's kind
 * @returns the faults that the caller has to carry out
 */
export function moment(operation: Operation, detail = ''): Fault[] {
  const at = counts[operation]++;
  const struck = plan.filter((strike) => strike.operation === operation && strike.at === at);
  for (const strike of struck) ask('struck', { ...strike, phase: detail === '' ? phase : `${phase} (${detail})` });
  const here = struck.map(({ fault }) => fault).filter((fault) => !isFromOutside(fault));
  if (here.includes('worker-ends')) self.close();
  return here;
}
