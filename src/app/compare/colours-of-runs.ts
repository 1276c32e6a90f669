/** How runs look in a comparison: eight colours that colour-blind people can tell apart, then the same ones dashed. Pure. */
import { onDark, runColour } from '../../reports/colours.ts';

const COLOURS = 8;
const DASHES: readonly (readonly number[])[] = [[], [8, 4], [2, 3], [9, 3, 2, 3], [14, 4]];

export interface RunLook {
  /** CSS, for both themes. */
  colour: string;
  /** #rrggbb on white paper. */
  paper: string;
  dash: readonly number[];
}

/** @param index position among the runs or groups shown */
export function lookOf(index: number): RunLook {
  const paper = runColour(index % COLOURS);
  return { colour: `light-dark(${paper}, ${onDark(paper)})`, paper, dash: DASHES[Math.floor(index / COLOURS) % DASHES.length] };
}
