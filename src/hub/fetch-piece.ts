/** Fetches one range of a file, again and again while the trouble may pass. */
import { LorikeetError } from '../protocol/errors.ts';
import { askHub, looksLikePage, notData, offline, PassingError } from './ask.ts';

export interface RangeRequest {
  url: string;
  token: string | null;
  /** What errors call the file. */
  name: string;
  offset: number;
  bytes: number;
  /** Size that the whole file was said to have. */
  fileBytes: number;
}

export interface Patience {
  signal: AbortSignal;
  /** Bytes that arrived, negative when they have to be fetched again. */
  onBytes: (bytes: number) => void;
  /** Waits between attempts, in seconds; after the last the trouble is reported. */
  waits?: readonly number[];
}

const WAITS = [0.5, 1, 2, 4, 8];
/** Longer than this nobody is kept waiting without a word. */
const LONGEST_WAIT = 60;

/**
 * @throws LorikeetError "hub-busy" or "hub-offline" when it did not pass; "hub-access", "hub-missing", "hub-answer", "hub-changed" at once; the signal's reason
 */
export async function fetchPiece(request: RangeRequest, patience: Patience): Promise<Uint8Array<ArrayBuffer>> {
  const waits = patience.waits ?? WAITS;
  for (let attempt = 0; ; attempt++) {
    try {
      return await fetchOnce(request, patience);
    } catch (error) {
      const asked = error instanceof PassingError ? (error.waitSeconds ?? 0) : Infinity;
      if (attempt >= waits.length || asked > LONGEST_WAIT) throw error;
      await sleep(Math.max(waits[attempt], asked), patience.signal);
    }
  }
}

async function fetchOnce({ url, token, name, offset, bytes, fileBytes }: RangeRequest, { signal, onBytes }: Patience): Promise<Uint8Array<ArrayBuffer>> {
  const response = await askHub(url, { token, signal, range: [offset, offset + bytes - 1], what: name });
  const whole = response.status === 200;
  const [from, total] = whole ? [0, fileBytes] : readRange(response.headers.get('content-range'), offset, fileBytes);
  if (total !== fileBytes) throw new LorikeetError('hub-changed', `${name} has ${total} bytes, it was listed with ${fileBytes}.`, 'The model was changed meanwhile: delete the download and begin again.', { file: name });
  if (from !== offset || (whole && bytes !== fileBytes)) {
    void response.body?.cancel();
    throw new LorikeetError('hub-answer', `${new URL(url).host} does not answer with the part of ${name} that was asked for.`, 'The mirror or a proxy knows no ranges: use another.', { file: name });
  }
  const data = new Uint8Array(bytes);
  let filled = 0;
  try {
    const reader = response.body!.getReader();
    for (;;) {
      const { value, done } = await reader.read();
      if (done) break;
      if (filled + value.length > bytes) {
        void reader.cancel();
        throw tooMuch(url, name, value);
      }
      data.set(value, filled);
      filled += value.length;
      onBytes(value.length);
    }
    // A web page in the place of a small file is often shorter than it.
    if (filled < bytes && filled > 0 && isPage(data.subarray(0, filled))) throw notData(url, name, '<html');
    if (filled < bytes) throw new TypeError(`the connection ended after ${filled} of ${bytes} bytes`);
    return data;
  } catch (error) {
    onBytes(-filled);
    if (signal.aborted) throw signal.reason;
    throw error instanceof LorikeetError ? error : offline(url, name, error);
  }
}

/** "bytes 0-99/1234"; what a server does not let a page see is taken to be as asked. */
function readRange(header: string | null, offset: number, fileBytes: number): [from: number, total: number] {
  const [, from, total] = /^bytes (\d+)-\d+\/(\d+)$/.exec(header ?? '') ?? [];
  return from === undefined ? [offset, fileBytes] : [Number(from), Number(total)];
}

function tooMuch(url: string, name: string, start: Uint8Array): LorikeetError {
  if (isPage(start)) return notData(url, name, '<html');
  return new LorikeetError('hub-changed', `${name} is longer than it was listed.`, 'The model was changed meanwhile: delete the download and begin again.', { file: name });
}

function isPage(bytes: Uint8Array): boolean {
  return looksLikePage(new TextDecoder().decode(bytes.subarray(0, 64)));
}

function sleep(seconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', end);
      resolve();
    }, seconds * 1000);
    if (signal.aborted) end();
    else signal.addEventListener('abort', end, { once: true });
  });
}
