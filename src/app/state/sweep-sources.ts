/** What the runs of a sweep are made with: brought back after a reload or a dead worker, and never silently something else. */
import { LorikeetError } from '../../protocol/errors.ts';
import type { DatasetSource, ModelSource } from '../../protocol/messages.ts';
import { isDataset, reopenDataset, reopenModel, type DatasetReference, type ModelReference } from '../../storage/sources.ts';
import { readRunSources } from '../../storage/runs.ts';
import type { SweepRecord } from '../../storage/sweeps.ts';
import { dataset } from './dataset.svelte.ts';
import { model } from './model.svelte.ts';
import { startingAdapter } from './starting-adapter.svelte.ts';
import { trainer } from './trainer.svelte.ts';

type Made = Pick<SweepRecord, 'model' | 'dataset' | 'adapter'>;

/** What is loaded now, as a sweep remembers it. */
export function sourcesNow(): Made {
  return {
    model: model.source?.kind === 'demo' ? null : model.displayName,
    dataset: dataset.source?.kind === 'demo' ? 'demo' : 'files',
    adapter: startingAdapter.source,
  };
}

/**
 * Gets the trainer, model, data and starting adapter of a sweep ready for its next run.
 * @throws LorikeetError why there is no trainer, or "resume" naming what has to be chosen by hand
 */
export async function loadForSweep(sweep: SweepRecord): Promise<void> {
  if (!trainer.ready) await trainer.restart();
  if (trainer.error) throw LorikeetError.fromRecord(trainer.error);
  const kept = model.summary === null || dataset.summary === null ? await keptSources(sweep) : null;
  if (model.summary === null) {
    const source = model.source ?? (await reopenedModel(sweep, kept?.model));
    if (!(await model.load(source, sweep.base)) && model.error) throw LorikeetError.fromRecord(model.error);
  }
  if (sourcesNow().model !== sweep.model) throw otherModel(sweep);
  if (dataset.summary === null) {
    const source = dataset.source ?? (await reopenedDataset(sweep, kept?.dataset));
    if (!(await dataset.load(source, sweep.base)) && dataset.error) throw LorikeetError.fromRecord(dataset.error);
  }
  if (sourcesNow().dataset !== sweep.dataset) throw otherData();
  if (startingAdapter.source !== sweep.adapter) await startingAdapter.choose(sweep.adapter);
  if (sweep.adapter && startingAdapter.error) throw LorikeetError.fromRecord(startingAdapter.error);
}

/**
 * Compares the user's own data with what the sweep's runs had so far, by content.
 * @throws LorikeetError "resume" when they differ: their results could not be compared
 */
export async function checkSameData(sweep: SweepRecord): Promise<void> {
  if (dataset.source?.kind !== 'files' || sweep.dataset === 'demo') return;
  const before = (await keptSources(sweep))?.dataset;
  if (before?.kind === 'files' && !(await isDataset(dataset.source, before.fingerprint))) throw otherData();
}

/** Sources of the first run that is still stored. */
async function keptSources(sweep: SweepRecord): Promise<{ model: ModelReference; dataset: DatasetReference } | null> {
  for (const { runId } of sweep.runs) {
    const sources = runId === null ? null : await readRunSources(runId).catch(() => null);
    if (sources) return sources;
  }
  return null;
}

async function reopenedModel(sweep: SweepRecord, kept?: ModelReference): Promise<ModelSource> {
  if (sweep.model === null) return { kind: 'demo' };
  if (!kept) throw otherModel(sweep);
  return reopenModel(kept);
}

async function reopenedDataset(sweep: SweepRecord, kept?: DatasetReference): Promise<DatasetSource> {
  if (sweep.dataset === 'demo') return kept?.kind === 'demo' ? kept : { kind: 'demo' };
  if (!kept) throw otherData();
  return reopenDataset(kept);
}

function otherModel({ model: name }: SweepRecord): LorikeetError {
  const made = name === null ? 'the built-in model' : `the model ${name}`;
  return new LorikeetError('resume', `The sweep was made with ${made}, which is not loaded.`, 'Choose that model under Train, then continue the sweep.', { field: 'model' });
}

function otherData(): LorikeetError {
  return new LorikeetError('resume', 'The sweep was made with data that is not loaded.', 'Load the same data under Train, then continue the sweep.', { field: 'dataset' });
}
