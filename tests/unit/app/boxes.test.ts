import { describe, expect, it } from 'vitest';
import { boxStyle, countFound, intersectionOverUnion } from '../../../src/app/images/boxes.ts';
import type { LabelledBox } from '../../../src/protocol/messages.ts';

const box = (...corners: LabelledBox['box']): LabelledBox => ({ box: corners, label: '' });

describe('boxes', () => {
  it('overlap by shared area over joint area', () => {
    expect(intersectionOverUnion([0, 0, 100, 100], [0, 0, 100, 100])).toBe(1);
    expect(intersectionOverUnion([0, 0, 100, 100], [50, 0, 150, 100])).toBeCloseTo(1 / 3, 12);
    expect(intersectionOverUnion([0, 0, 100, 100], [100, 0, 200, 100])).toBe(0);
    expect(intersectionOverUnion([10, 10, 10, 10], [0, 0, 100, 100])).toBe(0);
  });

  it('are found once each: one answer cannot stand for two', () => {
    const truth = [box(0, 0, 100, 100), box(10, 0, 110, 100)];
    expect(countFound(truth, [box(0, 0, 100, 100)])).toBe(1);
    expect(countFound(truth, [box(0, 0, 100, 100), box(12, 0, 112, 100)])).toBe(2);
    expect(countFound(truth, [box(500, 500, 600, 600)])).toBe(0);
    expect(countFound([], [box(0, 0, 1, 1)])).toBe(0);
  });

  it('are drawn inside the image, whatever the corners are', () => {
    expect(boxStyle([100, 200, 300, 600])).toBe('left:10%;top:20%;width:20%;height:40%');
    expect(boxStyle([300, 600, 100, 200])).toBe('left:10%;top:20%;width:20%;height:40%');
    expect(boxStyle([-50, 0, 1200, 1000])).toBe('left:0%;top:0%;width:100%;height:100%');
  });
});
