/** One request to a hub. Whatever it answers instead of what was asked becomes an error with a reason and an advice. */
import { LorikeetError } from '../protocol/errors.ts';

export interface Asking {
  token: string | null;
  signal?: AbortSignal;
  /** First and last byte wanted, both included. */
  range?: readonly [first: number, last: number];
  /** What errors call the thing that is asked for. */
  what: string;
}

/** A refusal that may pass by itself. */
export class PassingError extends LorikeetError {
  /** @param waitSeconds how long the hub asks to wait; null when it does not say */
  constructor(code: 'hub-busy' | 'hub-offline', message: string, advice: string, file: string, readonly waitSeconds: number | null, options?: ErrorOptions) {
    super(code, message, advice, { file }, options);
  }
}

/**
 * @returns an answer with status 200 or 206
 * @throws LorikeetError "hub-access", "hub-missing", "hub-answer"; PassingError "hub-busy", "hub-offline"; the signal's reason
 */
export async function askHub(url: string, { token, signal, range, what }: Asking): Promise<Response> {
  const headers: Record<string, string> = {};
  if (token) headers.Authorization = `Bearer ${token}`;
  if (range) headers.Range = `bytes=${range[0]}-${range[1]}`;
  let response: Response;
  try {
    // Ranges of one file would otherwise lock each other out of the browser's cache, which has no room for weights anyway.
    response = await fetch(url, { headers, signal, cache: 'no-store', credentials: 'omit', referrerPolicy: 'no-referrer' });
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    throw offline(url, what, error);
  }
  if (response.ok) return response;
  void response.body?.cancel();
  throw refusal(response, url, token, what);
}

/**
 * @throws as askHub, "hub-answer" also for what is no JSON
 */
export async function askForJson(url: string, asking: Asking): Promise<unknown> {
  const text = await readText(await askHub(url, asking), url, asking);
  try {
    return JSON.parse(text);
  } catch {
    throw notData(url, asking.what, text);
  }
}

/** @throws as askHub */
export async function askForText(url: string, asking: Asking): Promise<string> {
  const text = await readText(await askHub(url, asking), url, asking);
  if (looksLikePage(text)) throw notData(url, asking.what, text);
  return text;
}

/** Whether text is a web page: what proxies and login pages answer in the place of files. */
export function looksLikePage(text: string): boolean {
  return /^\s*<(?:!doctype|html|head|body)\b/i.test(text);
}

/** The error for a web page, or rubbish, in the place of data. */
export function notData(url: string, what: string, text: string): LorikeetError {
  const page = looksLikePage(text) ? 'a web page' : 'something that is no data';
  return new LorikeetError('hub-answer', `${new URL(url).host} answers ${page} when asked for ${what}.`, 'A proxy, a login page or a wrong mirror address is in between: open the address in a tab and see what it shows.', { file: what });
}

/** The connection broke while an answer was read. */
export function offline(url: string, what: string, cause: unknown): PassingError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new PassingError('hub-offline', `${new URL(url).host} cannot be reached for ${what}: ${reason}`, 'Check the connection, then resume: what has arrived is kept.', what, null, { cause });
}

async function readText(response: Response, url: string, { what, signal }: Asking): Promise<string> {
  try {
    return await response.text();
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    throw offline(url, what, error);
  }
}

/** What the hub gives as its reason: a header, or the error of its JSON. */
export function saidBy(response: Response, text: string): string {
  const header = response.headers.get('x-error-message');
  if (header) return header;
  try {
    const { error } = JSON.parse(text) as { error?: unknown };
    return typeof error === 'string' ? error.slice(0, 300) : '';
  } catch {
    return '';
  }
}

function refusal(response: Response, url: string, token: string | null, what: string): LorikeetError {
  const { status } = response;
  const { host } = new URL(url);
  const said = response.headers.get('x-error-message');
  const reason = `${host} answers ${status} for ${what}${said ? `: ${said}` : '.'}`;
  const place = { file: what };
  if (status === 401) {
    return token
      ? new LorikeetError('hub-access', reason, 'The token is not valid here, or the model does not exist: check both.', place)
      : new LorikeetError('hub-access', reason, 'The id is misspelt, or the model is private or gated: then accept its terms on its page and enter a token that may read it.', place);
  }
  if (status === 403) return new LorikeetError('hub-access', reason, 'Accept the terms on the model’s page, and use a token that may read gated models.', place);
  if (status === 404) return new LorikeetError('hub-missing', reason, 'Check the id and the revision; branches and files of a model can be renamed or removed.', place);
  if (status === 429) {
    return new PassingError('hub-busy', reason, 'Too many requests came from this connection: wait some minutes and resume; a token raises the limit.', what, secondsToWait(response.headers.get('retry-after')));
  }
  if (status >= 500 || status === 408) return new PassingError('hub-busy', reason, 'The server has trouble: resume later. What has arrived is kept.', what, secondsToWait(response.headers.get('retry-after')));
  if (status === 416) return new LorikeetError('hub-changed', `${reason} The file is shorter than it was.`, 'Delete the download and begin again.', place);
  return new LorikeetError('hub-answer', reason, 'Check the address of the mirror, if one is set.', place);
}

/** Retry-After in seconds; null where it says nothing, or a date. */
export function secondsToWait(header: string | null): number | null {
  if (header === null || header.trim() === '') return null;
  const seconds = Number(header);
  return Number.isFinite(seconds) && seconds >= 0 ? seconds : null;
}
