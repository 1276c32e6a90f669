/** Chat templates are programs out of a model's folder: they are run with limits, so that none keeps the trainer busy for ever or fills its memory. */
import { Environment, Interpreter, parse, tokenize } from '@huggingface/jinja';

/** Published templates take some hundreds a turn at most, and conversations have a thousand turns. */
const MAX_STEPS = 400_000;
/** Far beyond what any model reads at once, in characters. */
const MAX_TEXT = 2 ** 24;
const MAX_LIST = 2 ** 16;

export type JinjaProgram = ReturnType<typeof parse>;
type Evaluate = Interpreter['evaluate'];

/** @throws Error of the library when the text is no template */
export function parseJinja(text: string): JinjaProgram {
  // As transformers sets its own up.
  return parse(tokenize(text, { lstrip_blocks: true, trim_blocks: true }));
}

/** @throws Error when the template raises one, is wrong, or takes more than the limits allow */
export function renderJinja(program: JinjaProgram, variables: Readonly<Record<string, unknown>>): string {
  const environment = new Environment();
  for (const [name, value] of Object.entries({ ...CONSTANTS, raise_exception: raise, range: limitedRange(), ...variables })) environment.set(name, value);
  return String(new LimitedInterpreter(environment).run(program).value);
}

const CONSTANTS = { true: true, false: false, none: null, True: true, False: false, None: null };

class LimitedInterpreter extends Interpreter {
  private steps = 0;

  override evaluate(...[statement, environment]: Parameters<Evaluate>): ReturnType<Evaluate> {
    this.steps++;
    if (this.steps > MAX_STEPS) throw new Error(`it takes more than ${MAX_STEPS} steps`);
    const result = super.evaluate(statement, environment);
    const { value } = result as { value: unknown };
    if (typeof value === 'string' && value.length > MAX_TEXT) throw new Error(`it writes more than ${MAX_TEXT} characters`);
    if (Array.isArray(value) && value.length > MAX_LIST) throw new Error(`it makes a list of more than ${MAX_LIST} entries`);
    return result;
  }
}

function raise(message: unknown): never {
  throw new Error(String(message));
}

/** Python's range, as a list; all of one rendering together have a limit, for what is repeated is dear. */
function limitedRange(): (from: number, to?: number, step?: number) => number[] {
  let made = 0;
  return (from, to, step = 1) => {
    const [start, end] = to === undefined ? [0, from] : [from, to];
    const length = Math.max(0, Math.ceil((end - start) / step));
    made += length;
    if (!(made <= MAX_LIST)) throw new Error(`its ranges have more than ${MAX_LIST} numbers`);
    return Array.from({ length }, (_, i) => start + i * step);
  };
}
