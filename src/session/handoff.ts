/** A stopped run packed for a cluster: state, samples, base model's name and the script that goes on from there. */
import type { OutputFile } from '../checkpoint/merged-model.ts';
import { readDataset } from '../data/dataset.ts';
import { bundleTexts, plainTrainerState, type BaseModel } from '../handoff/bundle.ts';
import { recordFiles } from '../handoff/records.ts';
import { checkRewards } from '../handoff/rewarded.ts';
import { plainFile } from '../processing/archived-file.ts';
import { parsePreprocessorConfig } from '../processing/preprocessor-config.ts';
import { seenSize } from '../processing/prepare-image.ts';
import { boxUnitOf } from '../protocol/config.ts';
import { LorikeetError } from '../protocol/errors.ts';
import type { HandoffRequest, PackedRun } from '../protocol/handoff-messages.ts';
import type { DatasetSource, PathFile } from '../protocol/messages.ts';
import { isResumable, type RunHead, type RunRecord } from '../storage/records.ts';
import { shownDirectories } from '../storage/run-manifest.ts';
import { readDirectories, readLog } from '../storage/runs.ts';
import { fingerprintDataset, isModel, reopenDataset, reopenModel, type ModelReference } from '../storage/sources.ts';
import { hubOrigin } from '../storage/stored-model.ts';
import { writeZip, type Writing } from '../storage/write-model.ts';
import { readTrainerState } from '../training/trainer-state.ts';
import { demoDataset, demoModel } from './demo.ts';
import { folderName } from './merged-export.ts';
import { kindOf } from './session-dataset.ts';

const BASE = 'base';

/**
 * @param demoUrl address of the demo folder
 * @throws LorikeetError "resume" without a state to go on from; "file-missing" when the data are gone, before anything is
 * packed; "video" for clips; "config" for rewards that no bundle carries; of the disk; the signal's reason when cancelled
 */
export async function packHandoff(request: HandoffRequest, demoUrl: string, writing: Writing): Promise<PackedRun> {
  const { run, head, files } = await readDirectories(request.runId);
  const state = newestState(run, head);
  const data = await openData(run, request.openData, demoUrl);
  const records = recordFiles(await readDataset(data.files, await readingOptions(run, request, data.source)));
  writing.signal.throwIfAborted();

  const base = await baseModel(run.model, run.modelName);
  const of = (directory: string) => files.filter(({ path }) => path.startsWith(`${directory}/`)).map(({ path, file }) => ({ path: path.slice(directory.length + 1), file }));
  const own = of(state.name);
  const stateText = await textOf(own, 'trainer_state.json');
  const { dataFingerprint, totals } = readTrainerState(new TextEncoder().encode(stateText), `${state.name}/trainer_state.json`);
  const start = of('start');
  const count = (lines: string) => lines.split('\n').length - 1;
  const texts = bundleTexts({
    name: run.name,
    config: run.config,
    base,
    step: state.step,
    totalSteps: run.totalSteps,
    dataFingerprint,
    totals,
    startsFromAdapter: start.length > 0,
    samples: { train: count(records.train), validation: count(records.validation) },
  });
  texts.set('training_log.json', JSON.stringify(await readLog(request.runId), null, 2));
  texts.set('data/train.jsonl', records.train);
  texts.set('data/validation.jsonl', records.validation);
  texts.set('checkpoint/trainer_state.json', plainTrainerState(stateText));
  const blobs: PathFile[] = [
    ...own.filter(({ path }) => path !== 'trainer_state.json').map(({ path, file }) => ({ path: `checkpoint/${path}`, file })),
    ...start.map(({ path, file }) => ({ path: `start/${path}`, file })),
    ...(await Promise.all(records.pictures.map(async ({ path, file }) => ({ path: `data/${path}`, file: await plainFile(file, path) })))),
    ...(base.place === 'bundle' ? await demoBase(demoUrl) : []),
  ];
  const outputs = [...[...texts].map(([path, text]) => output(path, new Blob([text]))), ...blobs.map(({ path, file }) => output(path, file))];
  const folder = `${folderName(run.name)}-step-${state.step}`;
  return { name: `${folder}.zip`, zip: await writeZip(folder, outputs, writing) };
}

/** The newest directory from which training can go on, with something left to train. */
function newestState(run: RunRecord, head: RunHead): { name: string; step: number } {
  checkRewards(run.config);
  const states = shownDirectories(head).filter((directory) => isResumable(directory.name, directory) && directory.step < run.totalSteps);
  const [newest] = states.sort((a, b) => b.step - a.step);
  if (newest) return newest;
  throw new LorikeetError('resume', `The run ${run.name} has no stored state with steps left after it.`, 'Stop a run before its last step to take the rest elsewhere; a finished run’s adapter loads in PEFT as it is.');
}

/** The run's own data: what is open in the page, the demo's, or the copy that was kept. */
async function openData({ dataset, config }: RunRecord, open: DatasetSource | null, demoUrl: string): Promise<{ source: DatasetSource; files: { train: PathFile[]; validation: PathFile[] } }> {
  if (dataset.kind === 'demo') return { source: dataset, files: await demoDataset(demoUrl, dataset.set, kindOf(config), () => undefined) };
  if (open?.kind === 'files' && (await fingerprintDataset(open)) === dataset.fingerprint) return { source: { ...open, choices: dataset.choices }, files: open };
  try {
    const source = await reopenDataset(dataset);
    if (source.kind === 'files') return { source, files: source };
  } catch (error) {
    const { message, place } = LorikeetError.from(error);
    throw new LorikeetError('file-missing', message, 'Load the same dataset on the page, then pack the run again. Nothing was packed.', place, { cause: error });
  }
  throw new LorikeetError('file-missing', 'The dataset of this run is not in the browser any more.', 'Load the same dataset on the page, then pack the run again. Nothing was packed.', { field: 'dataset' });
}

/** As the session read the samples when the run began. */
async function readingOptions({ config, model }: RunRecord, { openModel }: HandoffRequest, source: DatasetSource) {
  return {
    kind: kindOf(config),
    boxes: boxUnitOf(config),
    validationSplit: config.validation_split,
    seed: config.seed,
    keepImageNewline: source.kind === 'demo',
    ...(source.kind === 'files' && source.choices && { choices: source.choices }),
    ...(boxUnitOf(config) === 'pixels' && (await pictureSizes(model, openModel, config.max_image_size))),
  };
}

/** Boxes that count the model's pixels need to know how it resizes. */
async function pictureSizes(reference: ModelReference, open: HandoffRequest['openModel'], maxImageSize: number) {
  if (reference.kind === 'demo') return {};
  const isOpen = open?.kind === 'files' && (await isModel(open.files, reference.fingerprint));
  const source = isOpen ? open : await reopenModel(reference);
  const file = source.kind === 'files' ? source.files.find(({ path }) => path.split('/').at(-1) === 'preprocessor_config.json') : undefined;
  if (!file) throw new LorikeetError('file-missing', `The model "${reference.name}" has no preprocessor_config.json at hand, which says in which pixels boxes count.`, 'Open the model on the page, then pack the run again.', { file: reference.name });
  const config = parsePreprocessorConfig(JSON.parse(await file.file.text()));
  return { seenSize: (stored: { height: number; width: number }) => seenSize(stored, config, maxImageSize) };
}

async function baseModel(reference: ModelReference, name: string): Promise<BaseModel> {
  if (reference.kind === 'demo') return { id: BASE, revision: null, place: 'bundle' };
  const origin = await hubOrigin(reference);
  return origin ? { id: origin.id, revision: origin.commit, place: 'hub' } : { id: name, revision: null, place: 'folder' };
}

async function demoBase(demoUrl: string): Promise<PathFile[]> {
  const source = demoModel(demoUrl);
  const files: PathFile[] = [];
  for (const name of source.names()) {
    const file = await source.blob(name).catch((error: unknown) => {
      // The list names what a model may have; the demo's has not all of it.
      if (error instanceof LorikeetError && error.code === 'file-missing') return null;
      throw error;
    });
    if (file) files.push({ path: `${BASE}/${name}`, file });
  }
  return files;
}

async function textOf(files: readonly PathFile[], path: string): Promise<string> {
  const file = files.find((entry) => entry.path === path)?.file;
  if (!file) throw new LorikeetError('file-missing', `The stored state has no ${path}.`, 'Resume the run and stop it again.', { file: path });
  return file.text();
}

function output(path: string, file: Blob): OutputFile {
  return {
    path,
    bytes: file.size,
    async *content() {
      const reader = file.stream().getReader();
      for (let part = await reader.read(); !part.done; part = await reader.read()) yield part.value as Uint8Array<ArrayBuffer>;
    },
  };
}
