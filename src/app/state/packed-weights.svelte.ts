/** Packed weights in this browser's storage: what is kept, and how to be rid of it. */
import { LorikeetError, type ErrorRecord } from '../../protocol/errors.ts';
import { deletePacked, listPacked, type StoredWeights } from '../../storage/packed/record.ts';
import { model } from './model.svelte.ts';
import { settings } from './settings.svelte.ts';
import { storageQuota } from './storage-quota.svelte.ts';

class PackedWeights {
  list = $state.raw<StoredWeights[]>([]);
  error = $state.raw<ErrorRecord | null>(null);

  async refresh(): Promise<void> {
    try {
      this.list = await listPacked();
    } catch {
      // Without storage nothing is kept.
      this.list = [];
    }
    await storageQuota.refresh();
  }

  async delete(key: string): Promise<void> {
    this.error = null;
    try {
      await deletePacked(key);
    } catch (error) {
      this.error = LorikeetError.from(error).toRecord();
    }
    await this.refresh();
  }

  /** Loads a model from its packed weights alone, in the form that they have. */
  async use({ key, record }: StoredWeights): Promise<boolean> {
    if (!record) return false;
    // Changes are counted from what the family advises, so that comes first.
    settings.advice = record.advice;
    for (const key of ['load_in_4bit', 'load_in_8bit', 'quantize_vision'] as const) settings.set(key, record.form[key]);
    const { config } = settings;
    return config ? model.load({ kind: 'packed', key }, config) : false;
  }
}

export const packedWeights = new PackedWeights();
