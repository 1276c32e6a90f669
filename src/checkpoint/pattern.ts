/**
 * Whether an expression matches a whole text, in time that grows with states × characters and never faster. For each
 * position, from the end to the start, it is worked out from which states the rest of the text is accepted (Thompson's
 * automaton, run backwards), so that looking ahead costs no more than anything else.
 */
import { isWord, parsePattern, PatternFault, type CharTest, type PatternNode } from './pattern-parser.ts';

export { PatternFault } from './pattern-parser.ts';

/** More states than any honest setting has; with the paths of a large model it is still about a second. */
const MAX_STATES = 10_000;

/** Whether a step without a character may be taken at a position. */
type Condition = { kind: 'start' | 'end' | 'boundary' | 'inside' } | { kind: 'look'; segment: number; negative: boolean };

/** The automaton of the expression, or of one look-ahead in it. State 0 is where it begins. */
interface Segment {
  /** Of states that take a character: which one; the state they lead to. Null for all others. */
  tests: (CharTest | null)[];
  next: number[];
  /** Steps without a character, kept at the state they lead to. */
  before: { from: number; condition: Condition | null }[][];
  final: number;
}

export interface Pattern {
  /** Python's re.fullmatch(pattern, text) is not None. */
  test(text: string): boolean;
}

/** @throws PatternFault for what is no expression, or none that can be matched in linear time */
export function compilePattern(source: string): Pattern {
  const segments: Segment[] = [];
  const budget = { states: 0 };
  build(parsePattern(source), segments, budget);
  return { test: (text) => accepts(segments, text) };
}

/** Appends the automaton of a tree behind those of its look-aheads, and returns its number. */
function build(tree: PatternNode, segments: Segment[], budget: { states: number }): number {
  const segment: Segment = { tests: [], next: [], before: [], final: 0 };
  const state = (): number => {
    if (++budget.states > MAX_STATES) throw new PatternFault(`more than ${MAX_STATES} states`, 0, true);
    segment.tests.push(null);
    segment.next.push(0);
    return segment.before.push([]) - 1;
  };
  const step = (from: number, to: number, condition: Condition | null = null) => void segment.before[to].push({ from, condition });

  /** Adds what leads through a node; returns the state behind it. */
  function through(node: PatternNode, from: number): number {
    switch (node.kind) {
      case 'sequence':
        return node.items.reduce((at, item) => through(item, at), from);
      case 'choice': {
        const end = state();
        for (const item of node.items) step(through(item, joined(from)), end);
        return end;
      }
      case 'repeat': {
        let at = from;
        for (let i = 0; i < node.min; i++) at = through(node.item, at);
        if (node.max === Infinity) {
          const loop = joined(at);
          step(through(node.item, joined(loop)), loop);
          return joined(loop);
        }
        const end = state();
        for (let i = node.min; i < node.max; i++) {
          step(at, end);
          at = through(node.item, joined(at));
        }
        step(at, end);
        return end;
      }
      case 'char': {
        const taking = joined(from);
        const behind = state();
        segment.tests[taking] = node.test;
        segment.next[taking] = behind;
        return behind;
      }
      default: {
        const condition: Condition = node.kind === 'look' ? { kind: 'look', segment: build(node.item, segments, budget), negative: node.negative } : node;
        const behind = state();
        step(from, behind, condition);
        return behind;
      }
    }
  }

  function joined(from: number): number {
    const fresh = state();
    step(from, fresh);
    return fresh;
  }

  segment.final = through(tree, state());
  return segments.push(segment) - 1;
}

function accepts(segments: readonly Segment[], text: string): boolean {
  const main = segments.length - 1;
  let behind = segments.map(({ next }) => new Uint8Array(next.length));
  let here = segments.map(({ next }) => new Uint8Array(next.length));
  const stack: number[] = [];
  for (let at = text.length; at >= 0; at--) {
    const code = text.charCodeAt(at);
    // Look-aheads stand before what contains them, so their answers for this position are there when they are asked for.
    segments.forEach(({ tests, next, before, final }, s) => {
      const now = here[s].fill(0);
      const then = behind[s];
      const reach = (state: number) => {
        if (now[state] === 1) return;
        now[state] = 1;
        stack.push(state);
      };
      if (s !== main || at === text.length) reach(final);
      if (at < text.length) {
        for (let state = 0; state < tests.length; state++) if (then[next[state]] === 1 && tests[state]?.(code)) reach(state);
      }
      for (let state = stack.pop(); state !== undefined; state = stack.pop()) {
        for (const { from, condition } of before[state]) if (condition === null || holds(condition, text, at, here)) reach(from);
      }
    });
    [here, behind] = [behind, here];
  }
  return behind[main][0] === 1;
}

function holds(condition: Condition, text: string, at: number, here: readonly Uint8Array[]): boolean {
  if (condition.kind === 'look') return (here[condition.segment][0] === 1) !== condition.negative;
  if (condition.kind === 'start') return at === 0;
  // Python's $ stands before a last line break too.
  if (condition.kind === 'end') return at === text.length || (at === text.length - 1 && text[at] === '\n');
  const edge = (at > 0 && isWord(text.charCodeAt(at - 1))) !== (at < text.length && isWord(text.charCodeAt(at)));
  return edge === (condition.kind === 'boundary');
}
