/** Which view is open, kept in the address: #/train, #/runs, #/runs/<id>, #/compare/<id>,<id>, #/evaluate, #/try, #/data, #/models. */
export type View = 'train' | 'runs' | 'compare' | 'evaluate' | 'try' | 'data' | 'models';

export const VIEWS: readonly View[] = ['train', 'runs', 'compare', 'evaluate', 'try', 'data', 'models'];

class Route {
  view = $state<View>('train');
  /** What of the view is open, such as a run's id. */
  item = $state<string | null>(null);

  constructor() {
    this.#read();
    addEventListener('hashchange', () => this.#read());
  }

  go(view: View, item?: string): void {
    location.hash = item === undefined ? `#/${view}` : `#/${view}/${encodeURIComponent(item)}`;
  }

  #read(): void {
    const [, name = '', item] = location.hash.split('/');
    this.view = VIEWS.includes(name as View) ? (name as View) : 'train';
    this.item = item ? safeDecode(item) : null;
  }
}

function safeDecode(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

export const route = new Route();
