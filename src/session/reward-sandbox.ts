/** Takes from a worker's global scope whatever could reach outside, before a user's code runs in it. */

/** Network, storage, other threads, messages, and ways to turn text into code. */
const DOORS = [
  'fetch', 'fetchLater', 'XMLHttpRequest', 'WebSocket', 'WebSocketStream', 'WebTransport', 'EventSource', 'RTCPeerConnection', 'RTCDataChannel',
  'importScripts', 'indexedDB', 'caches', 'cookieStore', 'localStorage', 'navigator', 'Worker', 'SharedWorker', 'BroadcastChannel', 'MessageChannel', 'MessagePort',
  'postMessage', 'addEventListener', 'removeEventListener', 'dispatchEvent', 'close', 'eval', 'Function', 'setTimeout', 'setInterval', 'queueMicrotask', 'requestAnimationFrame',
  'URL', 'webkitRequestFileSystem', 'webkitRequestFileSystemSync', 'webkitResolveLocalFileSystemURL', 'webkitResolveLocalFileSystemSyncURL',
  'FontFace', 'fonts', 'Notification', 'PushManager', 'StorageManager', 'FileReader', 'FileReaderSync', 'OffscreenCanvas', 'createImageBitmap', 'ImageDecoder',
  'WebAssembly', 'SharedArrayBuffer', 'reportError', 'trustedTypes', 'scheduler',
] as const;

/**
 * Shadows every door by an undefined that cannot be changed back, on the scope and along its prototypes, and blocks the
 * constructors by which functions are made from text.
 * @param scope the worker's global object
 */
export function closeDoors(scope: object): void {
  const locked = { value: undefined, writable: false, configurable: false, enumerable: false };
  for (let owner: object | null = scope; owner !== null && owner !== Object.prototype; owner = Object.getPrototypeOf(owner) as object | null) {
    for (const name of DOORS) {
      if (owner !== scope && !Object.hasOwn(owner, name)) continue;
      Reflect.defineProperty(owner, name, locked);
    }
    // A handler set by the user's code would hear, and could block, the session's messages.
    for (const name of ['onmessage', 'onmessageerror', 'onerror', 'onunhandledrejection', 'onrejectionhandled']) {
      if (Object.hasOwn(owner, name)) Reflect.defineProperty(owner, name, locked);
    }
  }
}

/** Blocks (() => {}).constructor('…') and its async and generator kin, for the whole realm. */
export function lockFunctionConstructors(): void {
  const samples = [() => null, async () => null, function* () {}, async function* () {}];
  for (const sample of samples) Reflect.defineProperty(Object.getPrototypeOf(sample) as object, 'constructor', { value: undefined, writable: false, configurable: false });
}

/** A generator of numbers in [0, 1) that the seed decides (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
