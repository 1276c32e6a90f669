/** Inputs one after the other; files of one dataset that are named one by one belong together. */
import { basename } from 'node:path';
import type { DatasetKind } from '../../src/data/dataset.ts';
import { isAdapterConfig } from '../../src/checkpoint/adapter-config.ts';
import { LorikeetError } from '../../src/protocol/errors.ts';
import { readSettings } from '../../src/protocol/foreign-settings.ts';
import type { PathFile } from '../../src/protocol/messages.ts';
import { isPythonLines } from '../../src/reports/python-lines.ts';
import { kindOf } from '../../src/session/session-dataset.ts';
import { droppedFiles } from './disk-files.ts';
import { fromCvat } from './from-cvat.ts';
import { inspectDataset } from './inspect-dataset.ts';
import { inspectAdapter, inspectLogs, type InspectedModel, openModel, reportModel } from './inspect-files.ts';
import type { InspectArguments } from './options.ts';
import { type Recognised, recognise } from './recognise.ts';
import type { Inspected } from './report.ts';

/** Where a line of a console begins at the latest. */
const START_BYTES = 4096;
/** Larger files are no settings. */
const MAX_SETTINGS_BYTES = 2 ** 20;

interface Input extends Recognised {
  path: string;
  files: PathFile[];
}

export async function inspect({ paths, model: modelPath, method, samples }: InspectArguments): Promise<Inspected[]> {
  const model = modelPath === undefined ? null : await openModel(await droppedFiles(modelPath));
  const purpose = method && kindOf({ method });
  const inputs: Input[] = [];
  for (const path of paths) {
    const files = await droppedFiles(path);
    inputs.push({ path, files, ...(await kindOfInput(files)) });
  }
  const results: Inspected[] = [];
  for (const input of together(inputs)) results.push(await inspectOne(input, model, purpose, samples));
  return results;
}

/** By names, and where they tell nothing by what a file on its own holds: what a console printed, an adapter's settings, those of any trainer. */
async function kindOfInput(files: readonly PathFile[]): Promise<Recognised> {
  const named = recognise(files.map(({ path }) => path));
  if (named.kind !== 'dataset' || files.length !== 1) return named;
  const [{ path, file }] = files;
  if (/\.jsonl?$/i.test(path) && isPythonLines(await file.slice(0, START_BYTES).text())) return { kind: 'log', because: 'it holds what a trainer prints to its console' };
  if (file.size > MAX_SETTINGS_BYTES || !/\.(json|ya?ml)$/i.test(path)) return named;
  const text = await file.text();
  if (isAdapterConfig(text)) return { kind: 'adapter', because: 'it names a peft_type' };
  try {
    const { taken } = readSettings(text);
    return taken.length > 0 ? { kind: 'settings', because: 'it names settings of a trainer' } : named;
  } catch (error) {
    if (!(error instanceof LorikeetError)) throw error;
    return named;
  }
}

/** Datasets are dropped together: records in one place may name pictures in another. */
function together(inputs: readonly Input[]): Input[] {
  const datasets = inputs.filter(({ kind }) => kind === 'dataset');
  const others = inputs.filter(({ kind }) => kind !== 'dataset');
  if (datasets.length === 0) return others;
  return [...others, { ...datasets[0], path: datasets.map(({ path }) => path).join(', '), files: datasets.flatMap(({ files }) => files) }];
}

async function inspectOne({ path, kind, because, files }: Input, model: InspectedModel | null, purpose: DatasetKind | undefined, samples: number): Promise<Inspected> {
  try {
    switch (kind) {
      case 'model':
        return { path, usable: true, report: reportModel(await openModel(files), because), faults: [] };
      case 'adapter':
        return { path, usable: true, report: await inspectAdapter(files, because, model?.files.architecture ?? null), faults: [] };
      case 'settings': {
        const { config, taken, left } = readSettings(await files[0].file.text());
        return { path, usable: true, report: { kind: 'settings', because, method: config.method, taken, left }, faults: [] };
      }
      case 'log': {
        const { report, faults } = await inspectLogs(files, because, basename(path));
        return { path, usable: report.runs.length > 0 && faults.length === 0, report, faults };
      }
      case 'dataset': {
        const boxes = model?.files.architecture.boxUnit ?? 'thousandths';
        const cvat = await fromCvat(files);
        const report = await inspectDataset(cvat?.files ?? files, { because: cvat ? 'it holds annotations from CVAT' : because, ...(cvat && { converted: cvat.converted, choices: { thousandthFiles: cvat.files.map(({ path }) => path) } }), ...(purpose && { purpose }), ...(model && { processor: model.processor }), boxes, samples });
        return { path, usable: report.train > 0, report, faults: [] };
      }
    }
  } catch (error) {
    if (!(error instanceof LorikeetError)) throw error;
    return { path, usable: false, report: null, faults: [error.toRecord()] };
  }
}
