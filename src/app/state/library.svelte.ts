/** How the list of runs is looked at: search words, chosen tags, order. */
import type { RunSummary } from '../../protocol/messages.ts';
import { filterRuns, sortRuns, tagsInUse, type Order, type SortColumn } from '../library/filter.ts';
import { runs } from './runs.svelte.ts';

class Library {
  query = $state('');
  tags = $state.raw<readonly string[]>([]);
  order = $state.raw<Order>({ column: 'created', ascending: false });
  readonly known = $derived(tagsInUse(runs.list));
  /** Chosen tags that still exist. */
  readonly chosen: readonly string[] = $derived(this.tags.filter((tag) => this.known.some((known) => known.tag === tag)));
  readonly shown: RunSummary[] = $derived(sortRuns(filterRuns(runs.list, this.query, this.chosen), this.order, runs.sizes));

  toggleTag(tag: string): void {
    this.tags = this.chosen.includes(tag) ? this.chosen.filter((other) => other !== tag) : [...this.chosen, tag];
  }

  /** The same column again turns the order round, a third time gives the newest first again. */
  sortBy(column: SortColumn): void {
    const textual = column === 'name' || column === 'status';
    if (this.order.column !== column) this.order = { column, ascending: textual };
    else if (this.order.ascending === textual) this.order = { column, ascending: !textual };
    else this.order = { column: 'created', ascending: false };
  }
}

export const library = new Library();
