/** A library of many runs: one is trained for two steps, and its records are copied under other ids. */
import type { RealPage } from '../demo/real-page.ts';
import { presetSettings } from '../../src/protocol/presets.ts';
import { parseTrainingConfig } from '../../src/protocol/config.ts';

/** @param runs how many runs the library then has */
export async function cloneRun({ page, train, until }: RealPage, runs: number): Promise<void> {
  await train.importSettings(parseTrainingConfig({ ...presetSettings('demo', 'sft'), max_steps: 2, eval_steps: 0, save_steps: 2, per_device_train_batch_size: 1, gradient_accumulation_steps: 1 }));
  await train.chooseModel(undefined);
  await train.chooseData(undefined, undefined);
  const ended = until(({ type }) => type === 'finished');
  await train.start();
  await ended;
  await page.evaluate(async (count) => {
    const opened = <T>(request: IDBRequest<T>) => new Promise<T>((resolve, reject) => { request.onsuccess = () => resolve(request.result); request.onerror = () => reject(request.error); });
    const database = await opened(indexedDB.open('lorikeet'));
    const reading = database.transaction('records').objectStore('records');
    const [keys, values] = await Promise.all([opened(reading.getAllKeys()), opened(reading.getAll())]);
    const id = (keys.find((key) => Array.isArray(key) && key[0] === 'run') as string[])[1];
    for (let copy = 1; copy < count; copy++) {
      const store = database.transaction('records', 'readwrite').objectStore('records');
      keys.forEach((key, i) => {
        if (!Array.isArray(key) || key[1] !== id) return;
        const value = values[i] as unknown;
        const renamed = key[0] === 'run' ? { ...(value as object), id: `copy-${copy}`, name: `copy ${copy}` } : value;
        store.put(renamed, [key[0], `copy-${copy}`, ...key.slice(2)]);
      });
      await new Promise((resolve) => (store.transaction.oncomplete = resolve));
    }
    database.close();
  }, runs);
  await page.reload();
  await page.getByTestId('nav-runs').waitFor();
}
