/** What the answers of a dataset are made of: its categories, their statuses, and the texts around its objects. */
import { type AnswerItem, type AnswerLayout, DEFAULT_TEXTS, type LayoutFormat, type LayoutTexts } from './answer-layout.ts';

export class AnswerVocabulary {
  /** In order of first appearance. */
  readonly categories: readonly string[];
  private readonly statuses = new Map<string, Set<string>>();
  private readonly allStatuses = new Set<string>();
  private readonly items: Record<LayoutFormat, AnswerItem[]> = { numbered: [], json: [] };
  private readonly texts: Record<LayoutFormat, LayoutTexts>;

  constructor(layouts: readonly AnswerLayout[]) {
    for (const { items, format } of layouts) {
      for (const item of items) {
        const { values } = item;
        this.items[format].push(item);
        const known = this.statuses.get(values.category) ?? new Set();
        this.statuses.set(values.category, known);
        if (values.status === null) continue;
        known.add(values.status);
        this.allStatuses.add(values.status);
      }
    }
    this.categories = [...this.statuses.keys()];
    this.texts = { numbered: textsOf(layouts, 'numbered'), json: textsOf(layouts, 'json') };
  }

  categoriesBut(category: string): string[] {
    return this.categories.filter((other) => other !== category);
  }

  /** Statuses seen with a category. */
  statusesOf(category: string): string[] {
    return [...(this.statuses.get(category) ?? [])];
  }

  /** Other statuses of the category; of any category where it has no other. */
  statusesBut(category: string, status: string): string[] {
    const own = this.statusesOf(category).filter((other) => other !== status);
    return own.length > 0 ? own : [...this.allStatuses].filter((other) => other !== status);
  }

  /** All objects written in a format, as templates. */
  itemsOf(format: LayoutFormat): readonly AnswerItem[] {
    return this.items[format];
  }

  textsOf(format: LayoutFormat): LayoutTexts {
    return this.texts[format];
  }
}

/** The first text of each kind that an answer shows, else the usual one. */
function textsOf(layouts: readonly AnswerLayout[], format: LayoutFormat): LayoutTexts {
  const own = layouts.filter((layout) => layout.format === format);
  const some = own.find(({ items }) => items.length > 0);
  const two = own.find(({ between }) => between !== null);
  const none = own.find(({ items }) => items.length === 0);
  const usual = DEFAULT_TEXTS[format];
  return { head: some?.head ?? usual.head, between: two?.between ?? usual.between, tail: some?.tail ?? usual.tail, none: none?.head ?? usual.none };
}
