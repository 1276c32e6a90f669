/** One line of a chart. */
export interface ChartLine {
  key: string;
  /** Empty for companions such as the raw line under a smoothed one. */
  label: string;
  /** Key of the line that a companion belongs to. */
  of?: string;
  /** CSS colour, may be a variable. */
  color: string;
  style: 'solid' | 'faint' | 'dashed';
  /** Places on the horizontal axis, ascending. */
  at: readonly number[];
  values: readonly (number | null)[];
}
