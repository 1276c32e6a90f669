/** Small things that every command here does the same way. */
import { LorikeetError } from '../../src/protocol/errors.ts';

/** An error whose message is meant for the person at the terminal; printed without a stack. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/**
 * Runs a command's main function: its number becomes the exit code, what it throws is printed and becomes 1 (2 for wrong usage).
 */
export async function runCommand(main: (argv: string[]) => Promise<number>): Promise<void> {
  try {
    process.exitCode = await main(process.argv.slice(2));
  } catch (error) {
    const usage = error instanceof UsageError || (error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS'));
    console.error(usage ? (error as Error).message : error instanceof Error ? (error.stack ?? error.message) : String(error));
    process.exitCode = usage ? 2 : 1;
  }
}

/**
 * Runs a command that has options; settings out of range count as wrong usage.
 * @param parse undefined: only help was asked for
 */
export function runCommandWith<Options>(parse: (argv: string[]) => Options | undefined, usage: string, main: (options: Options) => Promise<number>): Promise<void> {
  return runCommand(async (argv) => {
    let options: Options | undefined;
    try {
      options = parse(argv);
    } catch (error) {
      if (error instanceof LorikeetError) throw new UsageError(`${error.message} ${error.advice}`);
      throw error;
    }
    if (options !== undefined) return main(options);
    console.log(usage);
    return 0;
  });
}

/**
 * Reads a whole number given on the command line.
 * @throws UsageError naming the option
 */
export function wholeNumber(option: string, text: string, min: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < min) throw new UsageError(`--${option} must be a whole number of at least ${min}, got "${text}".`);
  return value;
}

/** "1 h 02 min", "3 min 20 s" or "12 s". */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, '0')} s`;
  return `${Math.floor(whole / 3600)} h ${String(Math.floor((whole % 3600) / 60)).padStart(2, '0')} min`;
}

/**
 * Lines up rows of text in columns.
 * @param align one letter per column: l or r
 */
export function formatTable(rows: readonly (readonly string[])[], align: string): string {
  const widths = [...align].map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  return rows
    .map((row) =>
      [...align]
        .map((side, column) => (side === 'r' ? (row[column] ?? '').padStart(widths[column]) : (row[column] ?? '').padEnd(widths[column])))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
