/** What two answers do not share, word by word. Pure. */

/** A piece of text; `own` when the other answer lacks it. */
export interface Piece {
  text: string;
  own: boolean;
}

/** Larger tables are not worth their memory: such texts count as different from their first difference to their last. */
const MAX_CELLS = 4_000_000;
/** Numbers and words whole, everything else (Chinese too) character by character. */
const WORDS = /\d+|[A-Za-z_]+|\s+|[^]/gu;

/** Both texts cut into shared and own pieces, by their longest common subsequence of words. */
export function difference(left: string, right: string): { left: Piece[]; right: Piece[] } {
  const a = left.match(WORDS) ?? [];
  const b = right.match(WORDS) ?? [];
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start++;
  let end = 0;
  while (end < a.length - start && end < b.length - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end++;
  const shared = common(a.slice(start, a.length - end), b.slice(start, b.length - end));
  const own = (words: readonly string[], kept: readonly boolean[]) => joined(words, (i) => i >= start && i < words.length - end && !kept[i - start]);
  return { left: own(a, shared.left), right: own(b, shared.right) };
}

/** Which words belong to the longest common subsequence. */
function common(a: readonly string[], b: readonly string[]): { left: boolean[]; right: boolean[] } {
  const left = new Array<boolean>(a.length).fill(false);
  const right = new Array<boolean>(b.length).fill(false);
  const width = b.length + 1;
  if ((a.length + 1) * width > MAX_CELLS) return { left, right };
  // longest[i, j]: of what remains from word i and word j on
  const longest = new Uint32Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      longest[i * width + j] = a[i] === b[j] ? longest[(i + 1) * width + j + 1] + 1 : Math.max(longest[(i + 1) * width + j], longest[i * width + j + 1]);
    }
  }
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    if (a[i] === b[j]) {
      left[i++] = true;
      right[j++] = true;
    } else if (longest[(i + 1) * width + j] >= longest[i * width + j + 1]) i++;
    else j++;
  }
  return { left, right };
}

function joined(words: readonly string[], isOwn: (index: number) => boolean): Piece[] {
  const pieces: Piece[] = [];
  words.forEach((text, i) => {
    const own = isOwn(i);
    const last = pieces.at(-1);
    if (last?.own === own) last.text += text;
    else pieces.push({ text, own });
  });
  return pieces;
}
