/** What is kept for use without network, and the new version that waits for its turn: the page's end of its service worker. */
import { SERVICE_WORKER, type FromServiceWorker, type NotKept, type ToServiceWorker } from '../../offline/messages.ts';
import { anythingLocked } from '../../storage/locks.ts';

/** "page" lacks the demo, which a browser that saves data keeps only when it is used. */
type Kept = 'unsupported' | 'keeping' | 'page' | 'all' | NotKept;

const LOOK_FOR_UPDATE_MS = 3_600_000;
const ASK_OTHER_TABS_MS = 1000;

class Offline {
  online = $state(navigator.onLine ?? true);
  kept = $state<Kept>('unsupported');
  /** "wanted": it takes over as soon as no tab trains. */
  update = $state<'none' | 'offered' | 'later' | 'wanted'>('none');
  #registration: ServiceWorkerRegistration | null = null;
  #looked = Date.now();

  /** Lets the browser keep the page. Call once, in a built page; where that is not possible the page works without. */
  async open(): Promise<void> {
    addEventListener('online', () => (this.online = true));
    addEventListener('offline', () => (this.online = false));
    if (!('serviceWorker' in navigator)) return;
    navigator.serviceWorker.addEventListener('message', (event: MessageEvent<FromServiceWorker>) => this.#hear(event));
    navigator.serviceWorker.addEventListener('controllerchange', () => {
      if (this.update === 'wanted') location.reload();
    });
    document.addEventListener('visibilitychange', () => this.#lookForUpdate());
    await this.keep();
  }

  /** Keeps what is not kept yet; called again after it failed, it tries again. */
  async keep(): Promise<void> {
    this.kept = 'keeping';
    try {
      const registration = await navigator.serviceWorker.register(SERVICE_WORKER, { scope: './', updateViaCache: 'none' });
      this.#registration = registration;
      registration.addEventListener('updatefound', () => this.#follow(registration.installing));
      this.#follow(registration.installing ?? registration.waiting ?? registration.active);
    } catch {
      // Also what a browser says offline that has the page from elsewhere, or in a window that keeps nothing.
      this.kept = 'unsupported';
    }
  }

  /** The new version opens now, or once nothing trains. */
  async updateWhenIdle(): Promise<void> {
    this.update = 'wanted';
    while (await anythingLocked()) {
      await new Promise((resolve) => setTimeout(resolve, ASK_OTHER_TABS_MS));
      if (this.update !== 'wanted') return;
    }
    this.#say(this.#registration?.waiting, { type: 'take-over' });
  }

  #follow(worker: ServiceWorker | null): void {
    if (!worker) return;
    const look = () => {
      if (worker.state === 'installed' && navigator.serviceWorker.controller) this.update = 'offered';
      else if (worker.state === 'activated') this.#keepAll(worker);
    };
    look();
    worker.addEventListener('statechange', look);
  }

  #keepAll(worker: ServiceWorker): void {
    const { connection } = navigator as { connection?: { saveData?: boolean } };
    if (connection?.saveData) this.kept = 'page';
    else this.#say(worker, { type: 'keep-all' });
  }

  #hear({ data, source }: MessageEvent<FromServiceWorker>): void {
    const active = this.#registration?.active;
    // That a newer version found no room changes nothing for the one that is kept.
    if (active && source !== active) return;
    this.kept = data.type === 'kept' ? 'all' : data.why;
  }

  #lookForUpdate(): void {
    if (document.hidden || Date.now() - this.#looked < LOOK_FOR_UPDATE_MS) return;
    this.#looked = Date.now();
    // Offline it fails, and is asked again in an hour.
    this.#registration?.update().catch(() => undefined);
  }

  #say(worker: ServiceWorker | null | undefined, message: ToServiceWorker): void {
    worker?.postMessage(message);
  }
}

export const offline = new Offline();
