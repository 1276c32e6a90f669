/** Checks the boxes written in an answer: four numbers in thousandths or pixels, with area. */

/** Boxes by the marks around them; the digits of the marks themselves are not theirs. */
export const MARKED = /<box>(.{0,200}?)<\/box>|<\|box_start\|>(.{0,200}?)<\|box_end\|>|"bbox_2d"\s{0,8}:\s{0,8}\[([^\]]{0,200})\]/gs;
const CORNERS = /^\s*\(\s*(-?\d+(?:\.\d+)?)\s*,\s*(-?\d+(?:\.\d+)?)\s*\)\s*,\s*\(\s*(-?\d+(?:\.\d+)?)\s*,\s*(-?\d+(?:\.\d+)?)\s*\)\s*$/;
const LIST = /^\s*(-?\d+(?:\.\d+)?)\s*,\s*(-?\d+(?:\.\d+)?)\s*,\s*(-?\d+(?:\.\d+)?)\s*,\s*(-?\d+(?:\.\d+)?)\s*$/;
/** Qwen's tags may also hold a place without extent. */
const POINT = /^\(\d{1,4},\d{1,4}\)$/;

/** Numbers of every box that is marked as such and made of four. */
export function markedBoxes(answer: string): number[][] {
  return [...answer.matchAll(MARKED)].flatMap(([, tagged, special, json]) => {
    const corners = json === undefined ? CORNERS.exec(tagged ?? special) : LIST.exec(json);
    return corners ? [corners.slice(1).map(Number)] : [];
  });
}

export interface BoxFault {
  message: string;
  advice: string;
}

/**
 * Faults of all boxes that are marked as such (<box>, <|box_start|>, "bbox_2d"); [] if there are none.
 * @param unit pixels of the resized image have no limit that is known here
 */
export function checkBoxes(answer: string, unit: 'thousandths' | 'pixels' = 'thousandths'): BoxFault[] {
  const limit = unit === 'thousandths' ? 1000 : Infinity;
  const faults: BoxFault[] = [];
  let number = 0;
  for (const [whole, tagged, special, json] of answer.matchAll(MARKED)) {
    number++;
    const corners = json === undefined ? CORNERS.exec(tagged ?? special) : LIST.exec(json);
    const point = special !== undefined && POINT.test(special);
    const name = `Box ${number}, ${whole.slice(0, 80)},`;
    if (!corners && !point) {
      faults.push({ message: `${name} is not made of four numbers.`, advice: 'Write it as (x1,y1),(x2,y2).' });
      continue;
    }
    const [x1, y1, x2, y2] = (corners?.slice(1) ?? special.match(/\d+/g)!).map(Number);
    if ([x1, y1, ...(point ? [] : [x2, y2])].some((x) => x < 0 || x > limit)) {
      faults.push(
        unit === 'thousandths'
          ? { message: `${name} lies outside 0…1000.`, advice: 'Coordinates are thousandths of the image’s width and height, not pixels.' }
          : { message: `${name} lies outside the image.`, advice: 'Coordinates are pixels of the resized image, from 0 on.' },
      );
    } else if (!point && (x2 <= x1 || y2 <= y1)) {
      faults.push({ message: `${name} has no area: x2 must be above x1 and y2 above y1.`, advice: 'Correct or remove the box.' });
    }
  }
  return faults;
}
