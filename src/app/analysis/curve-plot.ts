/** uPlot for the run and compare views. */
import type uPlot from 'uplot';
import { formatDuration, formatTick, type TimeUnits } from '../format/numbers.ts';
import { gapOf, ON_LOG, PLOT_FONT, TIME_TICKS, withAlpha, zoomCursor, zoomOnSelect, type OnZoom } from '../charts/plot-frame.ts';
import type { Axis } from './axes.ts';
import type { CurveLine } from './curve-line.ts';

export interface CurvePlotRequest {
  lines: readonly CurveLine[];
  colours: { lines: string[]; grid: string; text: string };
  axis: Axis;
  logX: boolean;
  logY: boolean;
  units: TimeUnits;
  locale: string;
  width: number;
  height: number;
  onCursor: (place: number | null) => void;
  onZoom: OnZoom;
}

const COUNTS = [1, 2, 5].flatMap((mantissa) => Array.from({ length: 12 }, (_, power) => mantissa * 10 ** power)).sort((a, b) => a - b);
const FRACTIONS = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, ...COUNTS];
const SECONDS = [...TIME_TICKS, 2_592_000];

/** A place on the axis in words of the readout. */
export function formatPlace(axis: Axis, place: number, units: TimeUnits, locale: string): string {
  if (axis === 'relative') return formatDuration(place, units);
  if (axis === 'wall') return new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'medium' }).format(place * 1000);
  if (axis === 'epoch') return String(Number(place.toFixed(3)));
  return Math.round(place).toLocaleString('en-US');
}

function tickOf(request: CurvePlotRequest): (tick: number, gap: number) => string {
  const { axis, units, locale } = request;
  if (axis === 'relative') return (tick) => (tick === 0 ? '0' : formatDuration(tick, units).replace(/ 00\D*$/, ''));
  if (axis === 'wall') {
    const clock = new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit' });
    const day = new Intl.DateTimeFormat(locale, { month: 'short', day: 'numeric' });
    return (tick, gap) => (gap >= 86_400 ? day : clock).format(tick * 1000);
  }
  return formatTick;
}

/** Series of one line: the faint raw one, the line itself, the edges of its band; empty ones are left out. */
export function columnsOf(line: CurveLine): ('raw' | 'line' | 'high' | 'low')[] {
  return [...(line.raw ? ['raw' as const] : []), 'line', ...(line.band ? ['high' as const, 'low' as const] : [])];
}

/** Options of one chart; data and scales follow when they are known. */
export function curveOptions(request: CurvePlotRequest): uPlot.Options {
  const { lines, colours, axis, logX, logY, width, height, onCursor, onZoom } = request;
  const base: uPlot.Axis = { stroke: colours.text, font: PLOT_FONT, ticks: { show: false }, gap: 6 };
  const tick = tickOf(request);
  const series: uPlot.Series[] = [{}];
  const bands: uPlot.Band[] = [];
  lines.forEach((line, l) => {
    const colour = colours.lines[l];
    for (const column of columnsOf(line)) {
      if (column === 'raw') series.push({ stroke: withAlpha(colour, 0.28), width: 1, points: { show: false } });
      else if (column === 'line') {
        series.push({ stroke: colour, width: 1.9, dash: [...line.dash], points: line.dots ? { show: true, size: 5.5, width: 0, fill: colour, stroke: colour } : { show: false } });
      } else {
        series.push({ stroke: 'transparent', width: 0, points: { show: false } });
        if (column === 'low') bands.push({ series: [series.length - 2, series.length - 1], fill: withAlpha(colour, 0.16) });
      }
    }
  });
  return {
    width,
    height,
    padding: [8, 10, 0, 0],
    legend: { show: false },
    focus: { alpha: 1 },
    cursor: { ...zoomCursor(onZoom), points: { show: false } },
    scales: { x: { time: false, auto: false, distr: logX ? 3 : 1 }, y: { auto: false, distr: logY ? 3 : 1 } },
    axes: [
      {
        ...base,
        size: 24,
        grid: { show: false },
        space: axis === 'relative' || axis === 'wall' ? 84 : 60,
        incrs: axis === 'relative' || axis === 'wall' ? SECONDS : axis === 'epoch' ? FRACTIONS : COUNTS,
        ...(logX ? ON_LOG : {}),
        values: (_plot, ticks) => ticks.map((place) => tick(place, logX ? place : gapOf(ticks))),
      },
      {
        ...base,
        size: 48,
        space: 34,
        grid: { stroke: colours.grid, width: 1 },
        ...(logY ? ON_LOG : {}),
        values: (_plot, ticks) => ticks.map((value) => formatTick(value, logY ? value : gapOf(ticks))),
      },
    ],
    series,
    bands,
    hooks: {
      setSelect: [zoomOnSelect(onZoom)],
      setCursor: [
        (plot) => {
          const { left } = plot.cursor;
          onCursor(left === undefined || left < 0 ? null : plot.posToVal(left, 'x'));
        },
      ],
    },
  };
}
