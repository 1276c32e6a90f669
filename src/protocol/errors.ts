/** Typed errors: what is wrong, where, and what to do. They survive the trip between worker and page. */

/** Every kind of failure that the page has its own words for. */
export type ErrorCode =
  | 'webgpu-missing'
  | 'device-lost'
  | 'out-of-memory'
  | 'self-test-failed'
  | 'storage-full'
  | 'storage-failed'
  | 'file-missing'
  | 'file-corrupt'
  | 'file-too-large'
  | 'unsupported-model'
  | 'tensor-missing'
  | 'tensor-shape'
  | 'tokenizer'
  | 'chat-template'
  | 'dataset'
  | 'image'
  | 'video'
  | 'sample-too-long'
  | 'adapter'
  | 'config'
  | 'not-finite'
  | 'run-locked'
  | 'model-locked'
  | 'hub-access'
  | 'hub-missing'
  | 'hub-busy'
  | 'hub-offline'
  | 'hub-answer'
  | 'hub-changed'
  | 'resume'
  | 'internal';

/** Where the fault lies, as far as it is known. Lines and samples count from 1. */
export interface ErrorPlace {
  file?: string;
  line?: number;
  sample?: string | number;
  field?: string;
}

/** The plain-data form of a LorikeetError, safe for postMessage and JSON. */
export interface ErrorRecord {
  code: ErrorCode;
  /** What is wrong: expected, got. One sentence. */
  message: string;
  /** What the user can do about it. One sentence; empty when nothing helps. */
  advice: string;
  place: ErrorPlace;
}

/** An error a user can act on. Our own faults use `invariant` instead. */
export class LorikeetError extends Error {
  override readonly name = 'LorikeetError';

  constructor(
    readonly code: ErrorCode,
    message: string,
    readonly advice = '',
    readonly place: ErrorPlace = {},
    options?: ErrorOptions,
  ) {
    super(message, options);
  }

  /** Plain data for messages, logs and storage. */
  toRecord(): ErrorRecord {
    return { code: this.code, message: this.message, advice: this.advice, place: this.place };
  }

  static fromRecord(record: ErrorRecord): LorikeetError {
    return new LorikeetError(record.code, record.message, record.advice, record.place);
  }

  /** Wraps anything thrown; unknown errors become code "internal" and keep their message. */
  static from(error: unknown): LorikeetError {
    if (error instanceof LorikeetError) return error;
    const message = error instanceof Error ? error.message : String(error);
    if (isFileGone(error)) return new LorikeetError('file-missing', `A file that was chosen has been changed, moved or deleted since: ${message}`, 'Choose the files again; what is loaded so far stays.', {}, { cause: error });
    return new LorikeetError('internal', message, 'Reload the page and try again; if it happens again, report it with the log.', {}, { cause: error });
  }
}

/** What browsers throw when a chosen file is no longer as it was (File API, by name: the class differs between engines). */
export function isFileGone(error: unknown): boolean {
  return error instanceof Error && (error.name === 'NotReadableError' || error.name === 'NotFoundError');
}

/**
 * Asserts what only a bug of ours can break.
 * @throws Error "Invariant violation: …"
 */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`Invariant violation: ${message}`);
}
