/** The process that may hang or die: runs the portions it is sent and tells of every case. */
import { READERS } from './readers/index.ts';
import { judge, type Portion, type Verdict } from './work.ts';

export interface Order {
  seed: number;
  portions: Portion[];
}

export type News = { kind: 'begin'; reader: string; case: number } | { kind: 'verdict'; verdict: Verdict } | { kind: 'stray'; error: string } | { kind: 'end' };

const tell = (news: News) => process.send!(news);
const stray = (error: unknown) => tell({ kind: 'stray', error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
process.on('uncaughtException', stray);
process.on('unhandledRejection', stray);
// Nobody hears any more: telling of that would fail for ever.
process.once('disconnect', () => process.exit());

process.once('message', (order: Order) => void work(order));

async function work({ seed, portions }: Order): Promise<void> {
  for (const { reader: name, first, end } of portions) {
    const reader = READERS.find((known) => known.name === name);
    if (!reader) throw new Error(`There is no reader ${name}: ${READERS.map((known) => known.name).join(', ')}.`);
    const run = await reader.prepare();
    for (let number = first; number < end; number++) {
      tell({ kind: 'begin', reader: name, case: number });
      tell({ kind: 'verdict', verdict: await judge(name, run, seed, number) });
      // Messages leave, and rejections nobody waited for are noticed, between the cases only.
      if (number % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
  }
  tell({ kind: 'end' });
  process.disconnect();
}
