/** What all charts have in common: canvas colours, log axes, and zoom by dragging. */
import type uPlot from 'uplot';
import { logTicks } from './series.ts';

export const PLOT_FONT = '10.5px Inter, system-ui, sans-serif';

/** Spread into an axis with a logarithmic scale. */
export const ON_LOG: Pick<uPlot.Axis, 'splits' | 'filter'> = {
  splits: (_plot, _axis, low, high) => logTicks(low, high),
  filter: (_plot, splits) => splits,
};

/** Distances in seconds between ticks that read well. */
export const TIME_TICKS: readonly number[] = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800];

/** Range chosen by dragging; null on double click. */
export type OnZoom = (range: readonly [number, number] | null) => void;

/** A cursor that only moves along the places, and drags to zoom. */
export function zoomCursor(onZoom: OnZoom): uPlot.Cursor {
  return {
    y: false,
    drag: { x: true, y: false, setScale: false },
    bind: {
      dblclick: () => () => {
        onZoom(null);
        return null;
      },
    },
  };
}

/** Hands a dragged range on and takes the selection off the canvas. */
export function zoomOnSelect(onZoom: OnZoom): (plot: uPlot) => void {
  return (plot) => {
    const { left, width: span } = plot.select;
    if (span > 6) onZoom([plot.posToVal(left, 'x'), plot.posToVal(left + span, 'x')]);
    plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
  };
}

/** Distance between neighbouring ticks, which says how exactly they are to be written. */
export function gapOf(ticks: readonly number[]): number {
  return Math.abs((ticks[1] ?? ticks[0] ?? 1) - (ticks[0] ?? 0));
}

/** A resolved CSS colour made translucent. */
export function withAlpha(color: string, alpha: number): string {
  const numbers = color.match(/[\d.]+/g);
  return numbers && color.startsWith('rgb') ? `rgb(${numbers.slice(0, 3).join(' ')} / ${alpha})` : color;
}
