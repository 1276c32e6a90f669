/** Finds and orders stored runs: by name, tags, notes, any setting and its value. Pure. */
import { appliesTo } from '../../protocol/presets.ts';
import type { TrainingConfig } from '../../protocol/config.ts';
import type { RunSummary } from '../../protocol/messages.ts';

export const SORT_COLUMNS = ['name', 'status', 'progress', 'loss', 'best', 'size', 'updated', 'created'] as const;
export type SortColumn = (typeof SORT_COLUMNS)[number];

export interface Order {
  column: SortColumn;
  ascending: boolean;
}

const CONDITION = /^([a-z_0-9]+)(>=|<=|>|<|=|:)(.+)$/i;

/**
 * Runs that hold every word of the query and every tag. A word such as `learning_rate=1e-3`, `r>=16` or `lr_scheduler_type:cos`
 * asks a setting; any other word may stand in name, model, method, tags or notes, or be the value of a setting. Names of settings
 * do not count: every run has them all.
 */
export function filterRuns(runs: readonly RunSummary[], query: string, tags: readonly string[]): RunSummary[] {
  const words = query.toLowerCase().split(/\s+/).filter((word) => word !== '');
  return runs.filter((run) => tags.every((tag) => run.tags.includes(tag)) && words.every((word) => matches(run, word)));
}

function matches(run: RunSummary, word: string): boolean {
  const condition = CONDITION.exec(word);
  if (condition && Object.hasOwn(run.config, condition[1])) {
    const [, key, sign, wanted] = condition;
    return appliesTo(key as keyof TrainingConfig, run.config.method) && compare(run.config[key as keyof TrainingConfig], sign, wanted);
  }
  const texts = [run.name, run.modelName, run.method, run.id, run.notes, ...run.tags];
  return texts.some((text) => text.toLowerCase().includes(word)) || hasValue(run.config, word);
}

/** Numbers must be equal, texts contain the word; settings that the method does not read have no say. */
function hasValue(config: TrainingConfig, word: string): boolean {
  return Object.entries(config).some(([key, value]) => {
    if (!appliesTo(key as keyof TrainingConfig, config.method)) return false;
    return typeof value === 'number' ? value === Number(word) : typeof value !== 'boolean' && asText(value).includes(word);
  });
}

function compare(value: unknown, sign: string, wanted: string): boolean {
  const number = Number(wanted);
  if (typeof value === 'number' && Number.isFinite(number)) {
    if (sign === '>') return value > number;
    if (sign === '<') return value < number;
    if (sign === '>=') return value >= number;
    if (sign === '<=') return value <= number;
    return value === number;
  }
  if (sign === '=') return asText(value) === wanted;
  return sign === ':' && asText(value).includes(wanted);
}

const asText = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value)).toLowerCase();

/** Every tag in use, the most used first. */
export function tagsInUse(runs: readonly RunSummary[]): { tag: string; count: number }[] {
  const counts = new Map<string, number>();
  for (const tag of runs.flatMap((run) => run.tags)) counts.set(tag, (counts.get(tag) ?? 0) + 1);
  return [...counts].map(([tag, count]) => ({ tag, count })).sort((a, b) => b.count - a.count || a.tag.localeCompare(b.tag));
}

/** Runs in the order of a column; what has no value there comes last either way. */
export function sortRuns(runs: readonly RunSummary[], { column, ascending }: Order, sizes: ReadonlyMap<string, number>): RunSummary[] {
  const value = (run: RunSummary): string | number | null => {
    switch (column) {
      case 'name':
        return run.name.toLowerCase();
      case 'status':
        return run.status;
      case 'progress':
        return run.step;
      case 'loss':
        return run.lastLoss;
      case 'best':
        return run.bestMetric?.value ?? null;
      case 'size':
        return sizes.get(run.id) ?? null;
      case 'updated':
        return run.updatedAt;
      case 'created':
        return run.createdAt;
    }
  };
  return [...runs].sort((a, b) => {
    const [x, y] = [value(a), value(b)];
    if (x === null || y === null) return x === y ? 0 : x === null ? 1 : -1;
    const order = typeof x === 'string' ? x.localeCompare(String(y)) : x - Number(y);
    return ascending ? order : -order;
  });
}
