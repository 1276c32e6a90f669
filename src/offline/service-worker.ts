/**
 * Answers the page's requests for its own files from what is kept, so that it opens without network.
 * The build writes the list of files into the first line; a changed list is a new version, which waits until the page calls it.
 */
import { KeptFiles, NotKeptError, type BuildFiles } from './kept-files.ts';
import type { FromServiceWorker, ToServiceWorker } from './messages.ts';

const scope = globalThis as unknown as ServiceWorkerGlobalScope & { BUILD_FILES: BuildFiles };
const kept = new KeptFiles(new URL('.', scope.location.href).href, scope.BUILD_FILES, { caches: scope.caches, fetch: (request) => scope.fetch(request) });

const windows = () => scope.clients.matchAll({ type: 'window', includeUncontrolled: true });

async function tell(message: FromServiceWorker): Promise<void> {
  for (const client of await windows()) client.postMessage(message);
}

async function keep(paths: readonly string[]): Promise<void> {
  try {
    await kept.keep(paths);
  } catch (error) {
    await tell({ type: 'not-kept', why: error instanceof NotKeptError ? error.why : 'no-room' });
    throw error;
  }
}

async function keepAll(): Promise<void> {
  if ((await windows()).length <= 1) await kept.forgetOlder();
  await keep(kept.all);
  await tell({ type: 'kept' });
}

// What the page needs comes first and whole; the demo's many small files follow when the page asks for them.
scope.addEventListener('install', (event) => event.waitUntil(keep(kept.page)));
scope.addEventListener('activate', (event) => event.waitUntil(scope.clients.claim()));

scope.addEventListener('message', (event) => {
  const { type } = event.data as ToServiceWorker;
  if (type === 'take-over') void scope.skipWaiting();
  // A failure has been told.
  else event.waitUntil(keepAll().catch(() => undefined));
});

scope.addEventListener('fetch', (event) => {
  const answer = kept.answer(event.request);
  if (answer) event.respondWith(answer);
});
