/** One line of a chart in the run and compare views. */
import type { Series } from './series.ts';

export interface CurveLine {
  /** Stable; the legend hides by it. */
  key: string;
  label: string;
  /** CSS colour, may be a variable or light-dark(). */
  colour: string;
  /** The same for files: #rrggbb on white paper. */
  paper: string;
  /** Dots at the values. */
  dots: boolean;
  /** Lengths of dashes and gaps; empty for a solid line. */
  dash: readonly number[];
  /** What is drawn. */
  series: Series;
  /** What lies faint under a smoothed line. */
  raw: Series | null;
  /** Lowest and highest of a group of runs, on the places of `series`. */
  band: { low: (number | null)[]; high: (number | null)[] } | null;
}

export const VALIDATION_DASH: readonly number[] = [5, 4];
