/** Colours that colour-blind people can tell apart: Okabe and Ito's, the yellow darkened for white paper. */

/** Of one run: training and validation. */
export const TRAIN_COLOUR = '#0072b2';
export const VALIDATION_COLOUR = '#d55e00';

const RUN_COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#8a6a00', '#56b4e9', '#e69f00', '#5b6770'] as const;

/** The colour of a run among many; after eight runs darker, then lighter shades of the same. */
export function runColour(index: number): string {
  const base = RUN_COLOURS[index % RUN_COLOURS.length];
  const round = Math.floor(index / RUN_COLOURS.length);
  if (round === 0) return base;
  return mix(base, round % 2 === 1 ? 0 : 255, Math.min(0.75, 0.35 + 0.15 * Math.floor((round - 1) / 2)));
}

/** The same colour on dark paper. */
export function onDark(colour: string): string {
  return mix(colour, 255, 0.35);
}

function mix(colour: string, towards: number, share: number): string {
  const parts = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
  return `#${parts.map((part) => Math.round(part + (towards - part) * share).toString(16).padStart(2, '0')).join('')}`;
}
