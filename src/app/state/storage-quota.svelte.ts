/** How much the browser lets this page store, and whether it promises to keep it. */
class StorageQuota {
  used = $state<number | null>(null);
  quota = $state<number | null>(null);
  persisted = $state<boolean | null>(null);

  async refresh(): Promise<void> {
    if (!('storage' in navigator)) return;
    try {
      const estimate = await navigator.storage.estimate();
      this.used = estimate.usage ?? null;
      this.quota = estimate.quota ?? null;
      this.persisted = await navigator.storage.persisted();
    } catch {
      // Some private windows refuse to say; the page then shows nothing.
    }
  }
}

export const storageQuota = new StorageQuota();

/** Asks the browser not to clear this page's runs; it may say no without telling. */
export function askToKeepStorage(): void {
  if (!('storage' in navigator)) return;
  navigator.storage.persist().then(
    () => storageQuota.refresh(),
    () => undefined,
  );
}
