/** One request that gives a hub something. What it answers instead of taking it becomes an error with a reason and an advice. */
import { LorikeetError } from '../protocol/errors.ts';
import { notData, PassingError, saidBy, secondsToWait } from './ask.ts';

export interface Sending {
  token: string | null;
  signal: AbortSignal;
  /** What errors call the thing that is sent. */
  what: string;
}

interface Message extends Sending {
  body: string;
  type: string;
  accept?: string;
  /** Refusals that are none. */
  fine?: readonly number[];
}

/**
 * Posts text and reads JSON; null for an empty answer.
 * @throws LorikeetError "hub-access", "hub-missing", "hub-changed", "hub-answer", "file-too-large"; PassingError "hub-busy", "hub-offline"; the signal's reason
 */
export async function sendToHub(url: string, { token, signal, what, body, type, accept, fine = [] }: Message): Promise<unknown> {
  const headers: Record<string, string> = { 'Content-Type': type, ...(accept && { Accept: accept }), ...(token && { Authorization: `Bearer ${token}` }) };
  let response: Response;
  let text: string;
  try {
    response = await fetch(url, { method: 'POST', headers, body, signal, credentials: 'omit', referrerPolicy: 'no-referrer' });
    text = await response.text();
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    throw unreachable(url, what, error);
  }
  if (fine.includes(response.status)) return null;
  if (!response.ok) throw refusedUpload(response, url, what, saidBy(response, text));
  if (text === '') return null;
  try {
    return JSON.parse(text);
  } catch {
    throw notData(url, what, text);
  }
}

export function unreachable(url: string, what: string, cause: unknown): PassingError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new PassingError('hub-offline', `${new URL(url).host} cannot be reached with ${what}: ${reason}`, 'Check the connection, then upload again: nothing was committed, and what has been stored is not sent twice.', what, null, { cause });
}

/** The error for a status that says no. */
export function refusedUpload({ status, headers }: Response, url: string, what: string, said: string): LorikeetError {
  const reason = `${new URL(url).host} answers ${status} for ${what}${said ? `: ${said}` : '.'}`;
  const place = { file: what };
  if (status === 401) return new LorikeetError('hub-access', reason, 'The token is not valid: make one that may write, under Settings, Access Tokens on the Hub. Nothing was committed.', place);
  if (status === 403) return new LorikeetError('hub-access', reason, 'The token may not write here: use one of the role “write”, and an owner that you belong to. Nothing was committed.', place);
  if (status === 404) return new LorikeetError('hub-missing', reason, 'Check owner and name: the owner does not exist, or the token cannot see the repository. Nothing was committed.', place);
  if (status === 409 || status === 412) return new LorikeetError('hub-changed', reason, 'Somebody else has changed the repository meanwhile: upload again. Nothing was committed.', place);
  if (status === 413) return new LorikeetError('file-too-large', reason, 'The Hub takes no file of this size, or your space there is full. Nothing was committed.', place);
  if (status === 429 || status === 408 || status >= 500) return new PassingError('hub-busy', reason, 'The server has trouble or too many requests: upload again in some minutes. Nothing was committed.', what, secondsToWait(headers.get('retry-after')));
  return new LorikeetError('hub-answer', reason, 'Check owner and name. Nothing was committed.', place);
}
