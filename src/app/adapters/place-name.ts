/** What a run's directory is called on the page. Pure. */
import type { Texts } from '../texts/en.ts';

/** "best, step 40", "final, step 60", "checkpoint 30". */
export function placeName(t: Texts['adapters'], directory: string, step: number): string {
  if (directory === 'best' || directory === 'final') return t.atStep(t.places[directory], String(step));
  return t.places.checkpoint(String(step));
}
