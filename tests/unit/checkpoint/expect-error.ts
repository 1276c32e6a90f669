import { expect } from 'vitest';
import { LorikeetError, type ErrorCode } from '../../../src/protocol/errors.ts';

/** Runs something that must fail with a LorikeetError of this code whose message matches; returns the error. */
export async function expectError(action: () => unknown, code: ErrorCode, message: RegExp): Promise<LorikeetError> {
  try {
    await action();
  } catch (error) {
    if (!(error instanceof LorikeetError)) throw error;
    expect(error.code, error.message).toBe(code);
    expect(error.message).toMatch(message);
    expect(error.advice).not.toBe('');
    return error;
  }
  return expect.fail(`expected an error of code ${code} matching ${message}`);
}
