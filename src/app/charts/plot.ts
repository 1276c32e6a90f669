/** uPlot in the page's dress: one frame for every chart. */
import type uPlot from 'uplot';
import { formatDuration, formatTick, type TimeUnits } from '../format/numbers.ts';
import type { AxisName } from './axis.ts';
import type { ChartLine } from './lines.ts';
import { gapOf, ON_LOG, PLOT_FONT, TIME_TICKS, withAlpha, zoomCursor, zoomOnSelect, type OnZoom } from './plot-frame.ts';

export interface PlotColours {
  lines: string[];
  grid: string;
  text: string;
  card: string;
}

interface PlotRequest {
  lines: readonly ChartLine[];
  log: boolean;
  axis: AxisName;
  units: TimeUnits;
  width: number;
  height: number;
  colours: PlotColours;
  /** Place under the pointer, null when it leaves. */
  onCursor: (place: number | null) => void;
  onZoom: OnZoom;
}

/** Canvas cannot read CSS variables: resolves them where the chart stands. */
export function readColours(host: HTMLElement, lines: readonly Pick<ChartLine, 'color'>[]): PlotColours {
  const probe = document.createElement('span');
  host.append(probe);
  const resolve = (color: string) => {
    probe.style.color = color;
    return getComputedStyle(probe).color;
  };
  const colours = { lines: lines.map((line) => resolve(line.color)), grid: resolve('var(--line)'), text: resolve('var(--muted)'), card: resolve('var(--card)') };
  probe.remove();
  return colours;
}

/** Distances between ticks that read well. */
const TICKS: Readonly<Record<AxisName, number[]>> = {
  step: [1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1e3, 2e3, 2.5e3, 5e3, 1e4, 2e4, 5e4, 1e5, 1e6],
  epoch: [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 1e4],
  time: [...TIME_TICKS],
};

/** A place on the axis as the readout says it. */
export function formatPlace(axis: AxisName, place: number, units: TimeUnits): string {
  if (axis === 'time') return formatDuration(place, units);
  return axis === 'epoch' ? place.toFixed(2) : String(place);
}

/** Options of a chart over the progress of a run. */
export function plotOptions(request: PlotRequest): uPlot.Options {
  const { lines, log, axis: axisName, units, width, height, colours, onCursor, onZoom } = request;
  const axis: uPlot.Axis = { stroke: colours.text, font: PLOT_FONT, ticks: { show: false }, gap: 6 };
  return {
    width,
    height,
    padding: [8, 8, 0, 0],
    legend: { show: false },
    focus: { alpha: 1 },
    cursor: { ...zoomCursor(onZoom), points: { size: 6 } },
    scales: { x: { time: false, auto: false }, y: { auto: false, distr: log ? 3 : 1 } },
    axes: [
      {
        ...axis,
        size: 24,
        grid: { show: false },
        space: axisName === 'time' ? 84 : 60,
        incrs: TICKS[axisName],
        values: (_plot, ticks) => ticks.map((tick) => (axisName === 'time' ? tickTime(tick, units) : formatTick(tick, gapOf(ticks)))),
      },
      {
        ...axis,
        size: 46,
        space: 34,
        grid: { stroke: colours.grid, width: 1 },
        ...(log ? ON_LOG : {}),
        values: (_plot, ticks) => ticks.map((tick) => formatTick(tick, log ? tick : gapOf(ticks))),
      },
    ],
    series: [{}, ...lines.map((line, i) => seriesOf(line, colours.lines[i]))],
    hooks: {
      setSelect: [zoomOnSelect(onZoom)],
      setCursor: [
        (plot) => {
          const { left, idx } = plot.cursor;
          if (left === undefined || left < 0 || idx === null || idx === undefined) onCursor(null);
          else onCursor(plot.data[0][idx]);
        },
      ],
    },
  };
}

/** Ticks stand at round times: "30 s", "2 min", "1 h 30 min". */
function tickTime(seconds: number, units: TimeUnits): string {
  if (seconds === 0) return '0';
  if (seconds < 60) return `${seconds} ${units.second}`;
  if (seconds < 3600) return seconds % 60 === 0 ? `${seconds / 60} ${units.minute}` : formatDuration(seconds, units);
  return seconds % 3600 === 0 && seconds < 86_400 ? `${seconds / 3600} ${units.hour}` : formatDuration(seconds, units);
}

function seriesOf(line: ChartLine, color: string): uPlot.Series {
  if (line.style === 'faint') return { stroke: withAlpha(color, 0.28), width: 1, spanGaps: true, points: { show: false } };
  if (line.style === 'dashed') {
    return { stroke: color, width: 1.6, dash: [5, 4], spanGaps: true, points: { show: true, size: 6, width: 0, fill: color, stroke: color } };
  }
  return { stroke: color, width: 1.9, spanGaps: true, points: { show: false } };
}
