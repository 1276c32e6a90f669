/** How the curves of the run and compare views are shown: the same for all charts of a view. */
import type { Axis } from '../analysis/axes.ts';
import type { SmoothingKind } from '../analysis/series.ts';

export class CurveView {
  axis = $state<Axis>('step');
  smoothing = $state(0.6);
  kind = $state<SmoothingKind>('ema');
  logX = $state(false);
  /** Log value axis of charts that have no choice of their own. */
  logY = $state(false);
  outliers = $state(true);
  search = $state('');
  /** Range on the axis; null shows all. */
  zoom = $state.raw<readonly [number, number] | null>(null);
  /** Place of the crosshair. */
  cursor = $state<number | null>(null);
  /** Lines that a legend has switched off. */
  hidden = $state.raw<readonly string[]>([]);
  #ownLog = $state.raw<Readonly<Record<string, boolean>>>({});

  isLog(chart: string): boolean {
    return this.#ownLog[chart] ?? this.logY;
  }

  toggleLog(chart: string): void {
    this.#ownLog = { ...this.#ownLog, [chart]: !this.isLog(chart) };
  }

  /** All charts at once; their own choices end. */
  setLogY(log: boolean): void {
    this.logY = log;
    this.#ownLog = {};
  }

  toggleLine(line: string): void {
    this.hidden = this.hidden.includes(line) ? this.hidden.filter((other) => other !== line) : [...this.hidden, line];
  }

  /** Zoom and crosshair are places on the old axis and go with it. */
  chooseAxis(axis: Axis): void {
    this.axis = axis;
    this.reset();
    this.cursor = null;
  }

  reset(): void {
    this.zoom = null;
  }
}

/** Of one run; shared by all runs, so that going from one to the next keeps the view. */
export const runCurveView = new CurveView();
/** Of the comparison. */
export const compareCurveView = new CurveView();
