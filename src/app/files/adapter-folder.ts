/** An adapter as the folder that PEFT and the Hub expect: its two files, a model card, and the card's curves as pictures. */
import { ADAPTER_CONFIG_FILE } from '../../checkpoint/adapter.ts';
import { LorikeetError } from '../../protocol/errors.ts';
import type { PathFile } from '../../protocol/messages.ts';
import { LORIKEET_VERSION } from '../../protocol/version.ts';
import { modelCard } from '../../reports/model-card.ts';
import { hubOrigin } from '../../storage/stored-model.ts';
import { listAdapters, readLog, readRunDirectory, readRunSources } from '../../storage/runs.ts';
import { logOfOwn } from '../analysis/record-log.ts';
import { rasterise } from './rasterise.ts';

/**
 * The run's best adapter, else its final one. A base that was downloaded from the Hub is named by its id and commit.
 * @param none what to say where there is no adapter
 * @throws LorikeetError "adapter" without one; of the storage
 */
export async function adapterFolder(runId: string, none: string): Promise<PathFile[]> {
  // listAdapters has the best first.
  const [adapter] = await listAdapters(runId);
  if (!adapter || !['best', 'final'].includes(adapter.directory)) throw new LorikeetError('adapter', none);
  const [{ name, files }, { model, config }, log] = await Promise.all([readRunDirectory(runId, adapter.directory), readRunSources(runId), readLog(runId)]);
  const origin = model.kind === 'files' ? await hubOrigin(model) : null;
  const folder = await Promise.all(files.map(async (entry) => (entry.path === ADAPTER_CONFIG_FILE && origin ? { path: entry.path, file: await named(entry.file, origin) } : entry)));
  const settings = JSON.parse(await folder.find(({ path }) => path === ADAPTER_CONFIG_FILE)!.file.text()) as Record<string, unknown>;
  const base = origin ? { id: origin.id, revision: origin.commit, hub: true } : { id: String(settings.base_model_name_or_path ?? 'the base model'), revision: null, hub: false };
  const card = modelCard({ name, method: config.method, base, adapter: settings, log: logOfOwn(log, name), version: LORIKEET_VERSION });
  const pictures: PathFile[] = [];
  for (const { path, svg } of card.pictures) pictures.push({ path, file: await rasterise(svg) });
  return [{ path: 'README.md', file: new Blob([card.text], { type: 'text/markdown' }) }, ...folder, ...pictures];
}

async function named(file: Blob, { id, commit }: { id: string; commit: string }): Promise<Blob> {
  const config = JSON.parse(await file.text()) as Record<string, unknown>;
  return new Blob([`${JSON.stringify({ ...config, base_model_name_or_path: id, revision: commit }, null, 2)}\n`], { type: 'application/json' });
}
