/** Short messages at the foot of the page, some with an undo. */
export interface Toast {
  id: number;
  text: string;
  action?: { label: string; run: () => void };
}

class Toasts {
  list = $state.raw<Toast[]>([]);
  #nextId = 1;

  show(text: string, action?: Toast['action'], seconds = action ? 10 : 4): void {
    const id = this.#nextId++;
    this.list = [...this.list, { id, text, action }];
    setTimeout(() => this.dismiss(id), seconds * 1000);
  }

  dismiss(id: number): void {
    this.list = this.list.filter((toast) => toast.id !== id);
  }
}

export const toasts = new Toasts();
