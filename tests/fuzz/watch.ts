/** Keeps a child at work: one that hangs or dies is replaced, and goes on behind the case that did it. */
import { fork } from 'node:child_process';
import { join } from 'node:path';
import type { News } from './child.ts';
import { MAX_MILLISECONDS, type Portion, type Verdict } from './work.ts';

/** Over the limit of a case: a child that is slow for another reason must not be ended. */
const PATIENCE = 10 * MAX_MILLISECONDS;
const START_PATIENCE = 120_000;

/** Runs every portion; `each` hears of every case. @throws Error when a child cannot even start */
export async function watch(seed: number, portions: readonly Portion[], each: (verdict: Verdict) => void): Promise<void> {
  let rest = [...portions];
  while (rest.length > 0) {
    const last = await oneChild(seed, rest, each);
    rest = last === null ? [] : behind(rest, last);
  }
}

interface Place {
  reader: string;
  case: number;
}

/** What is left behind a case. */
function behind(portions: readonly Portion[], { reader, case: number }: Place): Portion[] {
  const at = portions.findIndex((portion) => portion.reader === reader);
  return [{ ...portions[at], first: number + 1 }, ...portions.slice(at + 1)].filter(({ first, end }) => first < end);
}

/** Resolves with the case that ended the child, null when it came to its own end. */
function oneChild(seed: number, portions: Portion[], each: (verdict: Verdict) => void): Promise<Place | null> {
  return new Promise((resolve, reject) => {
    const child = fork(join(import.meta.dirname, 'child.ts'), { execArgv: ['--import', 'tsx', '--max-old-space-size=1024'], stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
    let at: Place | null = null;
    let ended = false;
    let words = '';
    const fault = (kind: 'hang' | 'died' | 'crash', detail: string) => at && each({ ...at, kind, detail, milliseconds: 0 });
    const timeOut = () => {
      ended = fault('hang', `no end within ${PATIENCE / 1000} s`) !== null;
      child.kill('SIGKILL');
    };
    let timer = setTimeout(timeOut, START_PATIENCE);
    child.stderr!.on('data', (piece: Buffer) => (words = (words + piece.toString()).slice(-2000)));
    child.on('message', (news: News) => {
      clearTimeout(timer);
      timer = setTimeout(timeOut, news.kind === 'begin' ? PATIENCE : START_PATIENCE);
      if (news.kind === 'begin') at = news;
      else if (news.kind === 'verdict') each(news.verdict);
      else if (news.kind === 'stray') fault('crash', `outside the case: ${news.error}`);
      else at = null;
    });
    child.on('exit', (code, signal) => {
      clearTimeout(timer);
      if (at === null && code !== 0) return reject(new Error(`The child could not start (${code ?? signal}): ${words}`));
      if (at !== null && !ended) fault('died', `exit ${code ?? signal}: ${words.slice(-500)}`);
      resolve(at && { reader: at.reader, case: at.case });
    });
    child.send({ seed, portions });
  });
}
