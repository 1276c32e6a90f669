/** Listens to what the page and its trainer worker say to each other, without changing it. */
import type { Page } from 'playwright';
import type { ErrorRecord } from '../../src/protocol/errors.ts';
import type { Replies, Request, TrainerEvent } from '../../src/protocol/messages.ts';

/** What the runner hears: the worker's news, and how each request of the page ended. Blobs and answers are left out. */
export type Heard =
  | { kind: 'event'; event: TrainerEvent }
  | { kind: 'done'; request: Request['type']; value: Replies[Request['type']] }
  | { kind: 'refused'; request: Request['type']; error: ErrorRecord };

const BINDING = 'lorikeetHeard';

/** Runs in the page before its own scripts. Self-contained: it is sent as text. */
function installTap(binding: string): void {
  const Original = globalThis.Worker;
  const tell = (message: unknown) => {
    const send = (globalThis as unknown as Record<string, (text: string) => void>)[binding];
    send(JSON.stringify(message, (key, value: unknown) => (key === 'answers' || value instanceof Blob ? undefined : value)));
  };
  globalThis.Worker = class extends Original {
    readonly asked = new Map<number, string>();

    constructor(url: string | URL, options?: WorkerOptions) {
      super(url, options);
      this.addEventListener('message', (message: MessageEvent<{ kind?: string; id?: number; error?: unknown; event?: unknown; value?: unknown }>) => {
        const { kind, id, error, event, value } = message.data ?? {};
        if (kind === 'event') tell({ kind, event });
        const request = id === undefined ? undefined : this.asked.get(id);
        if (request && kind === 'reply') tell({ kind: 'done', request, value });
        if (request && kind === 'error') tell({ kind: 'refused', request, error });
      });
    }

    override postMessage(message: { id?: number; request?: { type: string } }, transfer?: Transferable[] | StructuredSerializeOptions): void {
      if (typeof message?.id === 'number' && message.request) this.asked.set(message.id, message.request.type);
      super.postMessage(message, transfer as StructuredSerializeOptions);
    }
  };
}

/** Tells `listener` everything that is said from now on; call before the page is opened. */
export async function tapWorker(page: Page, listener: (heard: Heard) => void): Promise<void> {
  await page.exposeFunction(BINDING, (text: string) => listener(JSON.parse(text) as Heard));
  // tsx keeps function names with a helper of its own, which the page does not have.
  await page.addInitScript({ content: `globalThis.__name ??= (f) => f; (${installTap.toString()})(${JSON.stringify(BINDING)});` });
}
