import { expect, it } from 'vitest';
import { checkLibrary } from '../../../src/storage/check-library.ts';
import { commit, readKeys } from '../../../src/storage/database.ts';
import { readRunFiles } from '../../../src/storage/export-run.ts';
import { keyOf, rangeOf } from '../../../src/storage/records.ts';
import { RunWriter } from '../../../src/storage/run-writer.ts';
import { listRuns, readLog } from '../../../src/storage/runs.ts';
import type { DamagedPart } from '../../../src/protocol/messages.ts';
import { toyConfig, toyRecord } from '../training/toy-run.ts';
import { Random } from '../../../tools/random.ts';
import { pretendBrowser } from './pretend-browser.ts';

const RUNS = 300;
const DAMAGED = 30;
const STEPS = 3;
const RUBBISH: readonly unknown[] = [null, 42, 'rubbish', [], { id: 3 }, new Map()];

const row = (step: number) => ({
  step, epoch: step, loss: 1 / step, learning_rate: 1e-4, grad_norm: 1, tokens_per_second: 1, step_time_ms: 1, gpu_memory_mb: 1, num_tokens: step, samples: step, elapsed_s: step, time: '2026-01-01T00:00:00.000Z',
});
const adapter = new Map([['adapter_config.json', new TextEncoder().encode('{}')], ['adapter_model.safetensors', new Uint8Array(64)]]);

async function stored(id: string): Promise<void> {
  const writer = await RunWriter.create(toyRecord(id, toyConfig()));
  for (let step = 1; step <= STEPS; step++) {
    writer.append([{ kind: 'train', row: row(step) }], { status: 'finished', step });
    await writer.flush();
  }
  await writer.writeDirectory('best', STEPS, adapter);
}

/** Spoils one part of a run; says which. */
async function spoil(id: string, random: Random): Promise<DamagedPart> {
  const value = random.pick(RUBBISH);
  switch (random.below(4)) {
    case 0:
      await commit({ put: [[keyOf.run(id), value]] });
      return 'record';
    case 1:
      await commit({ put: [[keyOf.head(id), value]] });
      return 'progress';
    case 2:
      await commit({ remove: [(await readKeys(rangeOf.rows(id)))[1]] });
      return 'log';
    default:
      await commit({ put: [[(await readKeys(rangeOf.files(id)))[0], new Blob(['xx'])]] });
      return 'files';
  }
}

it(`a library of ${RUNS} runs, ${DAMAGED} of them damaged, lists and opens all the others, and says of each of those what is wrong`, async () => {
  pretendBrowser();
  const random = new Random('library', 7);
  const ids = Array.from({ length: RUNS }, (_, i) => `run-${i}`);
  for (const id of ids) await stored(id);
  const spoilt = new Map<string, DamagedPart>();
  while (spoilt.size < DAMAGED) {
    const id = random.pick(ids);
    if (!spoilt.has(id)) spoilt.set(id, await spoil(id, random));
  }
  expect(new Set(spoilt.values()).size).toBe(4);

  const start = performance.now();
  const listed = await listRuns();
  const milliseconds = performance.now() - start;
  console.log(`${RUNS} runs listed in ${Math.round(milliseconds)} ms`);
  expect(listed.map(({ id }) => id).sort()).toEqual([...ids].sort());
  // What the list itself reads of a run: its log and its files are looked at when it is opened or checked.
  for (const { id, damaged } of listed) expect([id, damaged ?? []]).toEqual([id, ['record', 'progress'].includes(spoilt.get(id) ?? '') ? [spoilt.get(id)] : []]);

  for (const id of ids) {
    const { train_history: rows } = await readLog(id);
    expect([id, rows.map(({ step }) => step)]).toEqual([id, spoilt.get(id) === 'log' ? [1, 3] : [1, 2, 3]]);
    if (!spoilt.has(id)) expect((await readRunFiles(id)).map(({ path }) => path)).toContain('best/adapter_model.safetensors');
  }

  const { runs, findings } = await checkLibrary();
  expect(runs).toBe(RUNS);
  expect(findings.map(({ id, damaged }) => [id, damaged]).sort()).toEqual([...spoilt].map(([id, part]) => [id, [part]]).sort());
}, 120_000);
