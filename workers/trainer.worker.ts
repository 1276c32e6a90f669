/// <reference lib="webworker" />
/** Hosts a training session and speaks src/protocol/messages.ts. Everything else is in src/session. */
import { LorikeetError } from '../src/protocol/errors.ts';
import type { FromWorker, ToWorker } from '../src/protocol/messages.ts';
import { openGpuEngine } from '../src/session/gpu-engine.ts';
import { TrainerSession } from '../src/session/session.ts';

const scope = self as unknown as DedicatedWorkerGlobalScope;
const send = (message: FromWorker) => scope.postMessage(message);

/** The worker's file lies one folder deep, in the source tree as in the build. */
const demoUrl = new URL('../demo/', scope.location.href).href;
const session = new TrainerSession(openGpuEngine, demoUrl, (event) => send({ kind: 'event', event }));

scope.onmessage = ({ data: { id, request } }: MessageEvent<ToWorker>) => {
  session.handle(request).then(
    (value) => send({ kind: 'reply', id, value }),
    (error: unknown) => send({ kind: 'error', id, error: LorikeetError.from(error).toRecord() }),
  );
};

// The page hears of thrown errors by itself, but not of promises that nobody waited for.
scope.onunhandledrejection = ({ reason }) => void session.uncaught(reason);
