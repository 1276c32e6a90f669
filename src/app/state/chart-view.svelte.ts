/** How curves are shown, the same for all charts: horizontal axis, smoothing, log axes, hidden lines, zoom, crosshair. */
import type { AxisName } from '../charts/axis.ts';

class ChartView {
  axis = $state<AxisName>('step');
  smoothing = $state(0.6);
  /** Charts with a logarithmic axis. Losses fall by powers of ten, so theirs starts that way. */
  logCharts = $state.raw<readonly string[]>(['loss']);
  zoom = $state.raw<readonly [number, number] | null>(null);
  /** Place of the crosshair on the axis. */
  cursor = $state<number | null>(null);
  /** Lines that the legend has switched off. */
  hidden = $state.raw<readonly string[]>([]);

  isLog(chart: string): boolean {
    return this.logCharts.includes(chart);
  }

  toggleLog(chart: string): void {
    this.logCharts = this.isLog(chart) ? this.logCharts.filter((other) => other !== chart) : [...this.logCharts, chart];
  }

  toggleLine(line: string): void {
    this.hidden = this.hidden.includes(line) ? this.hidden.filter((other) => other !== line) : [...this.hidden, line];
  }

  /** Zoom and crosshair are places on the old axis and go with it. */
  chooseAxis(axis: AxisName): void {
    this.axis = axis;
    this.zoom = null;
    this.cursor = null;
  }
}

export const chartView = new ChartView();
