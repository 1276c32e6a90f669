/** What page and worker say to each other: it may be late, though never out of order. Says on the way what the worker is at. */
import type { FromWorker, ToWorker } from '../../../src/protocol/messages.ts';
import { setClock } from './clock.ts';
import { ask, counted, enter, moment } from './moments.ts';

const LATE_MS = 1500;

/** Hands things on in their order, late ones with all after them. */
function inOrder<T>(hand: (thing: T) => void): (thing: T, late: boolean) => void {
  let before: Promise<void> | null = null;
  return (thing, late) => {
    if (!late && before === null) return hand(thing);
    const mine: Promise<void> = Promise.resolve(before)
      .then(() => (late ? new Promise<void>((resolve) => setTimeout(resolve, LATE_MS)) : undefined))
      .then(() => hand(thing))
      .finally(() => {
        if (before === mine) before = null;
      });
    before = mine;
  };
}

function follow(message: FromWorker): void {
  if (message.kind !== 'event') return;
  const { event } = message;
  if (event.type === 'status') enter(event.status);
  if (event.type === 'progress') enter(`${event.task}: ${event.stage}`);
  if (event.type === 'finished') ask('counts', counted());
}

export function installMessages(): void {
  const scope = self as unknown as DedicatedWorkerGlobalScope;
  const post = scope.postMessage.bind(scope) as (message: FromWorker) => void;
  const send = inOrder(post);
  scope.postMessage = ((message: FromWorker) => {
    const faults = moment('message', message.kind === 'event' ? message.event.type : message.kind);
    setClock(faults);
    follow(message);
    send(message, faults.includes('delay'));
  }) as typeof scope.postMessage;

  const handed = new WeakSet<Event>();
  const receive = inOrder<MessageEvent<ToWorker>>(({ data, ports }) => {
    const again = new MessageEvent('message', { data, ports: [...ports] });
    handed.add(again);
    scope.dispatchEvent(again);
  });
  scope.addEventListener('message', (event: MessageEvent<ToWorker>) => {
    if (handed.has(event)) return;
    event.stopImmediatePropagation();
    const { type } = event.data.request;
    const faults = type === 'ping' ? [] : moment('request', type);
    if (type !== 'ping') enter(type);
    receive(event, faults.includes('delay'));
  });
}
