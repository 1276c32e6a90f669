/** What must not happen: a run cannot be gone on with, or has lost what was stored. */
export class Fall extends Error {
  override readonly name = 'Fall';
}
