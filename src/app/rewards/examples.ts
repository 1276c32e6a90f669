/** Rewards to begin with, each a few lines; titles are in the dictionaries. */

export const EXAMPLES = {
  right_count: `// 1 when as many objects are listed as there are, less for each one too many or too few.
function reward({ objects, truthObjects }) {
  const off = Math.abs(objects.length - truthObjects.length);
  return 1 - off / Math.max(1, truthObjects.length);
}`,
  short_answer: `// 1 for an answer no longer than the true one, falling to 0 at twice its length.
function reward({ completion, truth }) {
  const excess = completion.length / Math.max(1, truth.length) - 1;
  return Math.min(1, Math.max(0, 1 - excess));
}`,
  centre_hit: `// Share of true objects whose centre lies inside a box of the same category.
function reward({ objects, truthObjects }) {
  if (truthObjects.length === 0) return objects.length === 0 ? 1 : 0;
  const hit = truthObjects.filter((truth) => {
    const x = (truth.box[0] + truth.box[2]) / 2;
    const y = (truth.box[1] + truth.box[3]) / 2;
    return objects.some(({ category, box }) =>
      category === truth.category && x >= box[0] && x <= box[2] && y >= box[1] && y <= box[3]);
  });
  return hit.length / truthObjects.length;
}`,
  no_repeats: `// -1 when an object is listed twice; null leaves answers without objects out.
function reward({ objects }) {
  if (objects.length === 0) return null;
  const seen = new Set(objects.map(({ category, box }) => category + box.join()));
  return seen.size === objects.length ? 0 : -1;
}`,
} as const;

export type ExampleName = keyof typeof EXAMPLES;
