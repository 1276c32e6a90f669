/** What may go wrong, and where: operations of the trainer's worker that are counted, and faults that strike at one of them. */
import type { Random } from '../random.ts';

/** Counted from the worker's first line on. */
export const OPERATIONS = ['request', 'message', 'write', 'read', 'file', 'submit', 'map'] as const;
export type Operation = (typeof OPERATIONS)[number];

const ANYWHERE: readonly Operation[] = OPERATIONS;

/** Faults that the worker may outlive, and the operations at which each can strike. */
export const SOFT = {
  /** IndexedDB or the site's files have no room left. */
  quota: ['write'],
  /** A transaction is aborted for no reason that is told. */
  abort: ['write'],
  /** So are those that follow, until the run gives up. */
  'storage-breaks': ['write'],
  /** IndexedDB cannot read. */
  unreadable: ['read'],
  /** A file, chosen or stored, cannot be read. */
  'file-gone': ['file'],
  'clock-back': ['submit', 'message', 'write'],
  'clock-forward': ['submit', 'message', 'write'],
  /** Messages wait, in their order. */
  delay: ['message', 'request'],
  /** Somebody opens the page once more and wants the run there too. */
  'second-tab': ['submit', 'message', 'write'],
} as const satisfies Record<string, readonly Operation[]>;

/** Faults that end the worker, or what it needs. */
export const HARD = {
  device: ['submit', 'map'],
  'gpu-process': ['submit', 'map'],
  'worker-ends': ANYWHERE,
  tab: ANYWHERE,
  renderer: ANYWHERE,
  browser: ANYWHERE,
} as const satisfies Record<string, readonly Operation[]>;

export type Fault = keyof typeof SOFT | keyof typeof HARD;

/** One fault, at the `at`-th operation of its kind, from 0. */
export interface Strike {
  fault: Fault;
  operation: Operation;
  at: number;
}

/** A fault that struck, and what the worker was at. */
export interface Struck extends Strike {
  phase: string;
}

export type Counts = Record<Operation, number>;

const FROM_OUTSIDE: readonly Fault[] = ['gpu-process', 'tab', 'renderer', 'browser', 'second-tab'];

/** True where the driver has to do it: the worker cannot harm the browser around it. */
export function isFromOutside(fault: Fault): boolean {
  return FROM_OUTSIDE.includes(fault);
}

export interface Draw {
  /** How many operations of each kind an undisturbed run has. */
  counts: Counts;
  /** Share of the run that is still to be done, from 0 to 1: what comes after its end cannot strike. */
  left: number;
  /** How many that the worker may outlive. */
  soft: number;
  /** Whether one is to end it. */
  hard: boolean;
}

/** Operations of loading and preparing, as a share of a run's: they are done by each worker anew. */
const BEFORE_STEPS = 0.15;

/** Draws the faults of one worker's life. */
export function drawStrikes({ counts, left, soft, hard }: Draw, random: Random): Strike[] {
  const share = BEFORE_STEPS + (1 - BEFORE_STEPS) * left;
  const one = (faults: Readonly<Record<string, readonly Operation[]>>): Strike => {
    const possible = (Object.keys(faults) as Fault[]).filter((name) => faults[name].some((operation) => counts[operation] > 0));
    const fault = random.pick(possible);
    const operation = random.pick(faults[fault].filter((name) => counts[name] > 0));
    return { fault, operation, at: random.below(Math.ceil(counts[operation] * share)) };
  };
  return [...Array.from({ length: soft }, () => one(SOFT)), ...(hard ? [one(HARD)] : [])];
}
