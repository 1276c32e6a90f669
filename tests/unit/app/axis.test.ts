import { describe, expect, it } from 'vitest';
import { AXES, axisEnd, placeOn } from '../../../src/app/charts/axis.ts';

const train = [
  { step: 2, epoch: 0.5, elapsed_s: 30 },
  { step: 4, epoch: 1, elapsed_s: 70 },
];

describe('placeOn', () => {
  it('puts training rows at their own step, epoch and time', () => {
    expect(AXES.map((axis) => train.map(placeOn(axis, train)))).toEqual([[2, 4], [0.5, 1], [30, 70]]);
  });

  it('puts a validation at the time of its step’s training row, or of the last before it', () => {
    const rows = [0, 2, 3, 4, 9].map((step) => ({ step, epoch: step / 4 }));
    expect(rows.map(placeOn('time', train))).toEqual([0, 30, 30, 70, 70]);
    expect(rows.map(placeOn('epoch', train))).toEqual([0, 0.5, 0.75, 1, 2.25]);
  });
});

describe('axisEnd', () => {
  const progress = { trainRows: train as never, totalSteps: 10, secondsLeft: 60, active: true };

  it('is where the run will end', () => {
    expect(AXES.map((axis) => axisEnd(axis, progress))).toEqual([10, 2.5, 130]);
  });

  it('is where it ended, once it has', () => {
    expect(axisEnd('time', { ...progress, active: false })).toBe(70);
  });

  it('is open before the first row', () => {
    expect(AXES.map((axis) => axisEnd(axis, { ...progress, trainRows: [] }))).toEqual([10, 0, 0]);
  });
});
