/** Work that takes a part of a second a piece, done a piece a frame, so that the page can be used in between. */

const waiting = new Set<() => void>();
let frame = 0;

function next(): void {
  const work = waiting.values().next().value;
  if (work) waiting.delete(work);
  frame = waiting.size > 0 ? requestAnimationFrame(() => setTimeout(next)) : 0;
  work?.();
}

/**
 * Does the work when it is its turn.
 * @returns takes it back, where it is not done yet
 */
export function inTurn(work: () => void): () => void {
  waiting.add(work);
  if (frame === 0) frame = requestAnimationFrame(() => setTimeout(next));
  return () => void waiting.delete(work);
}
