/** What the page and its service worker say to each other. */

/** Name of the service worker's file, beside index.html. */
export const SERVICE_WORKER = 'service-worker.js';

/** Why files could not be kept: no room, no answer, or the server has other files than the build. */
export type NotKept = 'no-room' | 'unreachable' | 'changed';

export type ToServiceWorker =
  /** Fetch what is not kept yet, and forget files of older versions where no other tab may need them. */
  | { type: 'keep-all' }
  /** The waiting version takes the place of the one at work. */
  | { type: 'take-over' };

export type FromServiceWorker =
  /** All files of this version are kept. */
  | { type: 'kept' }
  | { type: 'not-kept'; why: NotKept };
