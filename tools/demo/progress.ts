/** The terminal's view of a run: one bar that is redrawn, or plain lines where there is no terminal. */
import type { TrainRow, ValRow } from '../../src/protocol/log.ts';
import { formatDuration } from '../browser/command-line.ts';
import { SHOWN_METRICS } from './metrics.ts';

/** Where the text goes; process.stdout fits. */
export interface Screen {
  isTTY?: boolean;
  columns?: number;
  write(text: string): unknown;
}

const BAR_WIDTH = 24;
/** Without a terminal, progress of long tasks is told at most this often. */
const PLAIN_INTERVAL_MS = 5000;

/** "█████░░░░░" for a share between 0 and 1. */
export function drawBar(share: number, width = BAR_WIDTH): string {
  const filled = Math.round(Math.min(1, Math.max(0, share)) * width);
  return '█'.repeat(filled) + '░'.repeat(width - filled);
}

/** The line that shows a training step. */
export function formatStep(step: number, totalSteps: number, row: TrainRow | null, secondsLeft: number | null): string {
  const parts = [`step ${String(step).padStart(String(totalSteps).length)}/${totalSteps}`];
  if (row && typeof row.reward === 'number') parts.push(`reward ${row.reward.toFixed(3)}`);
  if (row && typeof row.accuracy === 'number') parts.push(`accuracy ${row.accuracy.toFixed(3)}`);
  if (row) parts.push(`loss ${row.loss.toFixed(4)}`, `lr ${row.learning_rate.toExponential(2)}`, `${row.tokens_per_second.toFixed(0)} tokens/s`);
  if (secondsLeft !== null) parts.push(`${formatDuration(secondsLeft)} left`);
  return parts.join('  ');
}

/** The line that shows a validation. */
export function formatValidation(row: ValRow): string {
  const metrics = SHOWN_METRICS.flatMap(({ key, short }) => {
    const value = row[key];
    return typeof value === 'number' && short !== '' ? [`${short} ${value.toFixed(4)}`] : [];
  });
  return `validation at step ${row.step}: ${metrics.join('  ')}  (${formatDuration(row.eval_runtime)})`;
}

/** Shows one changing line at the bottom, and lasting lines above it. */
export class ProgressView {
  private current = '';
  private lastPlain = 0;

  constructor(
    private readonly screen: Screen,
    private readonly now: () => number = Date.now,
  ) {}

  /**
   * Redraws the bar. Without a terminal the text is printed as a line when it matters or enough time has passed.
   * @param share 0 to 1
   * @param matters false for steps of a longer task that need no line each
   */
  update(share: number, text: string, matters: boolean): void {
    if (this.screen.isTTY) {
      const line = `${drawBar(share)} ${String(Math.floor(share * 100)).padStart(3)} %  ${text}`;
      this.current = line.slice(0, (this.screen.columns ?? 120) - 1);
      this.screen.write(`\r\u001b[2K${this.current}`);
    } else if (matters || this.now() - this.lastPlain >= PLAIN_INTERVAL_MS) {
      this.lastPlain = this.now();
      this.screen.write(`${text}\n`);
    }
  }

  /** Prints a lasting line; the bar stays below it. */
  print(text: string): void {
    if (this.screen.isTTY) this.screen.write(`\r\u001b[2K${text}\n${this.current}`);
    else this.screen.write(`${text}\n`);
  }

  /** Removes the bar. */
  clear(): void {
    if (this.screen.isTTY) this.screen.write('\r\u001b[2K');
    this.current = '';
  }
}
