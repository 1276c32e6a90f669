/** A run's adapter merged into its base model and written to disk: finds both, checks them against each other, and streams the files. */
import { mergedModel } from '../checkpoint/merged-model.ts';
import { ModelFiles } from '../checkpoint/model-files.ts';
import { LorikeetError } from '../protocol/errors.ts';
import type { Merged, MergeRequest } from '../protocol/export-messages.ts';
import { readRunSources } from '../storage/runs.ts';
import { fingerprintModel, reopenModel, type ModelReference } from '../storage/sources.ts';
import { writeFolder, writeZip, type Writing } from '../storage/write-model.ts';
import { demoModel } from './demo.ts';
import { openAdapter } from './starting-adapter.ts';

/**
 * @param demoUrl address of the demo folder
 * @throws LorikeetError of the model, the adapter, or the disk; the signal's reason when cancelled
 */
export async function exportMerged(request: MergeRequest, demoUrl: string, writing: Writing): Promise<Merged> {
  const { model: reference } = await readRunSources(request.runId);
  const files = await openBase(reference, request, demoUrl);
  const { name, adapter } = await openAdapter({ kind: 'run', runId: request.runId, directory: request.directory }, demoUrl, files.architecture);
  const run = name.slice(0, name.lastIndexOf('/'));
  const base = adapter.config.base_model_name_or_path ?? (reference.kind === 'demo' ? 'demo' : reference.name);
  const outputs = await mergedModel(files, adapter, { base, run });
  const folder = `${folderName(run)}-merged`;
  const dequantised = files.quantization ? `bitsandbytes ${files.quantization.bits}-bit` : null;
  if (request.folder) return { name: await writeFolder(request.folder, folder, outputs, writing), zip: null, dequantised };
  return { name: `${folder}.zip`, zip: await writeZip(folder, outputs, writing), dequantised };
}

async function openBase(reference: ModelReference, { open }: MergeRequest, demoUrl: string): Promise<ModelFiles> {
  if (reference.kind === 'demo') return ModelFiles.open(demoModel(demoUrl));
  if (open?.kind === 'files' && (await fingerprintModel(open.files)) === reference.fingerprint) return ModelFiles.open(open.files);
  try {
    const source = await reopenModel(reference);
    if (source.kind === 'files') return await ModelFiles.open(source.files);
  } catch (error) {
    const { code, message, place } = LorikeetError.from(error);
    if (code !== 'resume') throw error;
    throw new LorikeetError('file-missing', message, `Open the model "${reference.name}" on the page for training, then export again.`, place, { cause: error });
  }
  throw new LorikeetError('file-missing', `The model "${reference.name}" is not at hand.`, 'Open it on the page for training, then export again.', { file: reference.name });
}

/** A name that every file system takes. */
export function folderName(run: string): string {
  return run.normalize('NFC').replace(/[\\/:*?"<>|\u0000-\u001f]+/g, '-').replace(/^[. -]+|[. -]+$/g, '').slice(0, 80) || 'model';
}
