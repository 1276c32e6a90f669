import { describe, expect, it } from 'vitest';
import { filterRuns, sortRuns, tagsInUse } from '../../../src/app/library/filter.ts';
import { parseTrainingConfig } from '../../../src/protocol/config.ts';
import type { TrainingConfigInput } from '../../../src/protocol/config.ts';
import type { RunSummary } from '../../../src/protocol/messages.ts';

function summary(id: string, change: Partial<RunSummary>, config: TrainingConfigInput = {}): RunSummary {
  return {
    id, name: id, method: 'sft', status: 'finished', createdAt: `2026-01-0${id.length}`, updatedAt: '2026-01-09', step: 1, totalSteps: 1, modelName: 'Qwen3-VL-2B',
    lastLoss: null, bestMetric: null, resumable: false, config: parseTrainingConfig(config), finalMetrics: {}, tags: [], notes: '', ...change,
  };
}

const runs = [
  summary('a', { name: 'First try', lastLoss: 0.5, tags: ['baseline'] }, { r: 8, learning_rate: 1e-4 }),
  summary('bb', { name: 'Second', lastLoss: 0.25, notes: 'Much better at night', tags: ['baseline', 'night'] }, { r: 32, learning_rate: 2e-4 }),
  summary('ccc', { name: 'Third', tags: ['night'] }, { r: 16, lr_scheduler_type: 'cosine' }),
];
const found = (query: string, tags: string[] = []) => filterRuns(runs, query, tags).map(({ id }) => id);

describe('the search for runs', () => {
  it.each<[string, string[]]>([
    ['', ['a', 'bb', 'ccc']],
    ['TRY', ['a']],
    ['better night', ['bb']],
    ['baseline', ['a', 'bb']],
    ['qwen3', ['a', 'bb', 'ccc']],
    ['cosine', ['ccc']],
    ['learning_rate=1e-4', ['a']],
    ['learning_rate=0.0001', ['a']],
    ['r>=16', ['bb', 'ccc']],
    ['r<16', ['a']],
    ['r>8 baseline', ['bb']],
    ['lr_scheduler_type:cos', ['ccc']],
    ['use_rslora=false', ['a', 'bb', 'ccc']],
    // Supervised runs have no beta, whatever the schema's default is.
    ['beta=0.1', []],
    ['nothing', []],
    ['__proto__=1', []],
  ])('%s finds %j', (query, ids) => {
    expect(found(query)).toEqual(ids);
  });

  it('keeps runs that have all chosen tags', () => {
    expect(found('', ['baseline', 'night'])).toEqual(['bb']);
    expect(tagsInUse(runs)).toEqual([{ tag: 'baseline', count: 2 }, { tag: 'night', count: 2 }]);
  });

  it('orders by a column, runs without a value last either way', () => {
    const order = (column: 'loss' | 'name' | 'size', ascending: boolean) => sortRuns(runs, { column, ascending }, new Map([['ccc', 9], ['a', 10]])).map(({ id }) => id);
    expect(order('loss', true)).toEqual(['bb', 'a', 'ccc']);
    expect(order('loss', false)).toEqual(['a', 'bb', 'ccc']);
    expect(order('name', true)).toEqual(['a', 'bb', 'ccc']);
    expect(order('size', true)).toEqual(['ccc', 'a', 'bb']);
  });
});
