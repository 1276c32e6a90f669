/** Charts as SVG text: the same file for a report, a paper and a screen. */
import { minMaxBins } from './bins.ts';
import { onDark } from './colours.ts';
import { escapeMarkup } from './markup.ts';
import type { MetricSeries } from './metrics.ts';
import { place, stepScale, suitsLog, tickLabel, valueScale } from './scale.ts';
import type { Scale } from './scale.ts';
import { formatNumber, shorten } from './text.ts';
import { wordsEn } from './words-en.ts';
import type { ReportWords } from './words-en.ts';

export interface SvgLine {
  label: string;
  /** #rrggbb */
  colour: string;
  /** Validation: dashed with a dot at every value. */
  dashed: boolean;
  series: MetricSeries;
  /** A value to ring, such as the best one. */
  mark?: { step: number; value: number } | null;
}

export interface SvgChart {
  title: string;
  metric: string;
  lines: readonly SvgLine[];
  /** Left out: decided from the values. */
  log?: boolean;
  /** What the series' steps really are; optimizer steps when left out. */
  axis?: { label: string; /** Only whole numbers stand at the axis. */ whole: boolean; format?: (value: number) => string };
  /** Alone in a file: brings its own paper and colours for dark screens. Inside a page the page's style sheet does. */
  standalone: boolean;
  /** English when left out. */
  words?: ReportWords;
}

/** 10 × 6 inches at 96 dpi scaled to the column of a report. */
const WIDTH = 800;
const HEIGHT = 400;
const LEFT = 66;
const RIGHT = 16;
const BOTTOM = 44;
const TITLE_HEIGHT = 34;
const LEGEND_ROW = 18;
const LABEL_CHARACTERS = 44;

/** The style sheet of charts, for both themes. */
export const CHART_STYLE = `.chart{--ink:#15201b;--muted:#5d6963;--grid:#e2e7e3;--paper:#fff;font:12px system-ui,sans-serif}
@media (prefers-color-scheme:dark){.chart{--ink:#e6ede9;--muted:#97a49d;--grid:#28322d;--paper:#171d1a}}
@media print{.chart{--ink:#000;--muted:#444;--grid:#ddd;--paper:#fff}}
.chart .paper{fill:var(--paper)}.chart .grid{stroke:var(--grid);stroke-width:1}.chart .axis{stroke:var(--muted);stroke-width:1}
.chart text{fill:var(--muted)}.chart .title{fill:var(--ink);font-weight:600;font-size:14px}.chart .legend{fill:var(--ink)}
.chart .line{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}.chart .dashed{stroke-dasharray:6 5}
.chart .ring{fill:var(--paper)}
@media screen and (prefers-color-scheme:dark){.chart .line,.chart .ring{stroke:var(--dark)}.chart .dot{fill:var(--dark)}}`;

/** Draws a chart. Every text in it is escaped. */
export function drawChart(chart: SvgChart): string {
  const lines = chart.lines.map((line) => ({ ...line, series: minMaxBins(line.series, (WIDTH - LEFT - RIGHT) / 2) }));
  const all = function* () {
    for (const { series } of lines) for (const value of series.values) if (value !== null) yield value;
  };
  const y = valueScale(all(), chart.log ?? suitsLog(chart.metric, all()));
  const first = Math.min(...lines.filter(({ series }) => series.steps.length > 0).map(({ series }) => series.steps[0]));
  const last = Math.max(...lines.map(({ series }) => series.steps.at(-1) ?? -Infinity));
  const words = chart.words ?? wordsEn;
  const axis = chart.axis ?? { label: words.chart.step, whole: true };
  const x = Number.isFinite(first) ? stepScale(first, last, axis.whole) : stepScale(0, 1);
  const columns = lines.length > 4 ? 2 : Math.max(1, Math.min(2, lines.length));
  const top = TITLE_HEIGHT + LEGEND_ROW * Math.ceil(lines.length / columns) + 8;
  const height = HEIGHT + LEGEND_ROW * Math.max(0, Math.ceil(lines.length / columns) - 1);
  const frame: Frame = { x, y, top, bottom: height - BOTTOM, axis, words };

  const name = escapeMarkup(y.log ? words.chart.logScale(chart.title) : chart.title);
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" class="chart"${chart.standalone ? ` lang="${words.lang}"` : ''} viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="${name}">`,
    `<title>${name}</title>`,
    ...(chart.standalone ? [`<style>${CHART_STYLE}</style>`, `<rect class="paper" fill="#fff" width="${WIDTH}" height="${height}"/>`] : []),
    `<text class="title" x="${LEFT}" y="22">${name}</text>`,
    ...lines.map((line, i) => drawLegend(line, LEFT + (i % columns) * ((WIDTH - LEFT - RIGHT) / columns), TITLE_HEIGHT + LEGEND_ROW * Math.floor(i / columns) + 6)),
    ...drawAxes(frame),
    ...lines.flatMap((line) => drawLine(line, frame)),
    '</svg>',
  ];
  return `${parts.join('\n')}\n`;
}

interface Frame {
  x: Scale;
  y: Scale;
  top: number;
  bottom: number;
  axis: NonNullable<SvgChart['axis']>;
  words: ReportWords;
}

const round = (value: number) => String(Math.round(value * 10) / 10);

function at(frame: Frame, step: number, value: number): [number, number] | null {
  const across = place(frame.x, step);
  const up = place(frame.y, value);
  if (across === null || up === null) return null;
  return [LEFT + across * (WIDTH - LEFT - RIGHT), frame.bottom - up * (frame.bottom - frame.top)];
}

function drawAxes(frame: Frame): string[] {
  const { x, y, bottom, axis } = frame;
  const parts: string[] = [];
  for (const tick of y.ticks) {
    const height = at(frame, x.low, tick)![1];
    parts.push(`<line class="grid" stroke="#e2e7e3" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${round(height)}" y2="${round(height)}"/>`);
    parts.push(`<text x="${LEFT - 8}" y="${round(height + 4)}" text-anchor="end">${tickLabel(tick, y)}</text>`);
  }
  parts.push(`<line class="axis" stroke="#5d6963" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${bottom}" y2="${bottom}"/>`);
  for (const tick of x.ticks) {
    const across = LEFT + place(x, tick)! * (WIDTH - LEFT - RIGHT);
    parts.push(`<text x="${round(across)}" y="${bottom + 17}" text-anchor="middle">${escapeMarkup(axis.format?.(tick) ?? tickLabel(tick, x))}</text>`);
  }
  parts.push(`<text x="${(LEFT + WIDTH - RIGHT) / 2}" y="${bottom + 36}" text-anchor="middle">${escapeMarkup(axis.label)}</text>`);
  return parts;
}

/** Colours stand in attributes, which every program reads; the one for dark screens in a variable. */
const ink = (colour: string) => `style="--dark:${onDark(colour)}"`;

function drawLegend(line: SvgLine, x: number, y: number): string {
  const dash = line.dashed ? ' stroke-dasharray="6 5"' : '';
  const dot = line.dashed ? `<circle class="dot" fill="${line.colour}" ${ink(line.colour)} cx="${x + 13}" cy="${y}" r="3"/>` : '';
  return `<path class="line${line.dashed ? ' dashed' : ''}" fill="none" stroke="${line.colour}" stroke-width="2"${dash} ${ink(line.colour)} d="M${x} ${y}h26"/>${dot}<text class="legend" x="${x + 32}" y="${y + 4}">${escapeMarkup(shorten(line.label, LABEL_CHARACTERS))}</text>`;
}

function drawLine(line: SvgLine, frame: Frame): string[] {
  const { steps, values } = line.series;
  const points: string[] = [];
  const dots: string[] = [];
  let pen = false;
  values.forEach((value, i) => {
    const point = value === null ? null : at(frame, steps[i], value);
    if (point === null) {
      pen = false;
      return;
    }
    // A point between two gaps has no line to stand on: h0 with round ends makes it a dot.
    const alone = !pen && (i + 1 >= values.length || values[i + 1] === null);
    points.push(`${pen ? 'L' : 'M'}${round(point[0])} ${round(point[1])}${alone ? 'h0' : ''}`);
    pen = true;
    if (line.dashed && values.length <= 400) {
      dots.push(`<circle class="dot" fill="${line.colour}" ${ink(line.colour)} cx="${round(point[0])}" cy="${round(point[1])}" r="3"><title>${escapeMarkup(frame.words.chart.point(line.label, String(steps[i]), formatNumber(value)))}</title></circle>`);
    }
  });
  if (points.length === 0) return [];
  const dash = line.dashed ? ' stroke-dasharray="6 5"' : '';
  const path = `<path class="line${line.dashed ? ' dashed' : ''}" fill="none" stroke="${line.colour}" stroke-width="2" stroke-linecap="round"${dash} ${ink(line.colour)} d="${points.join('')}"/>`;
  const mark = line.mark ? at(frame, line.mark.step, line.mark.value) : null;
  const ring = mark
    ? [`<circle class="ring" fill="#fff" stroke="${line.colour}" stroke-width="2" ${ink(line.colour)} cx="${round(mark[0])}" cy="${round(mark[1])}" r="5"><title>${frame.words.chart.best(String(line.mark!.step), formatNumber(line.mark!.value))}</title></circle>`]
    : [];
  return [path, ...dots, ...ring];
}
