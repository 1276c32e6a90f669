/** Model folders, adapters and training logs as the page opens them. */
import { ADAPTER_CONFIG_FILE, ADAPTER_WEIGHTS_FILE, readAdapter } from '../../src/checkpoint/adapter.ts';
import { adapterFilesIn, adaptersIn } from '../../src/checkpoint/adapter-files.ts';
import { isAdapterConfig, parseAdapterConfig } from '../../src/checkpoint/adapter-config.ts';
import { ModelFiles } from '../../src/checkpoint/model-files.ts';
import { SafetensorsFile } from '../../src/checkpoint/safetensors.ts';
import { type Architecture, parameterCount } from '../../src/families/architecture.ts';
import { openLogs } from '../../src/imports/open-logs.ts';
import { Processor } from '../../src/processing/processor.ts';
import type { ErrorRecord } from '../../src/protocol/errors.ts';
import type { PathFile } from '../../src/protocol/messages.ts';
import { metricNames } from '../../src/reports/metrics.ts';
import { unpackRun } from '../../src/reports/packed-run.ts';
import type { AdapterReport, LogReport, ModelReport } from './report.ts';

export interface InspectedModel {
  files: ModelFiles;
  processor: Processor;
}

/** @throws LorikeetError as ModelFiles.open and Processor.fromFiles */
export async function openModel(files: readonly PathFile[]): Promise<InspectedModel> {
  const model = await ModelFiles.open(files);
  return { files: model, processor: await Processor.fromFiles(model.readText, model.architecture) };
}

export function reportModel({ files }: InspectedModel, because: string): ModelReport {
  const { config, architecture } = files;
  return {
    kind: 'model',
    because,
    modelType: config.modelType,
    parameters: parameterCount(architecture),
    layers: config.numHiddenLayers,
    visionLayers: config.visionDepth,
    vocabularySize: config.vocabSize,
    bytes: files.fileBytes,
    quantization: files.quantization ? `bitsandbytes ${files.quantization.bits}-bit` : null,
    boxUnit: architecture.boxUnit,
    linearModules: architecture.linearModules.length,
    notes: [...files.notes],
  };
}

/**
 * The outermost adapter of a folder, or a file of its settings.
 * @throws LorikeetError as readAdapter; "file-missing" where a half of it is not there
 */
export async function inspectAdapter(files: readonly PathFile[], because: string, model: Architecture | null): Promise<AdapterReport> {
  // What its settings say is wrong with an adapter tells more than that its weights are not there.
  if (adaptersIn(files).length === 0) await checkSettings(files);
  const { config, weights } = adapterFilesIn(files, 'The folder');
  const text = await config.text();
  const settings = parseAdapterConfig(text);
  const header = await SafetensorsFile.open(weights, ADAPTER_WEIGHTS_FILE);
  const adapter = model && (await readAdapter(text, weights, model));
  return {
    kind: 'adapter',
    because,
    baseModel: settings.base_model_name_or_path,
    r: settings.r,
    loraAlpha: settings.lora_alpha,
    tensors: header.tensors.size,
    parameters: [...header.tensors.values()].reduce((sum, { shape }) => sum + shape.reduce((product, side) => product * side, 1), 0),
    modules: adapter ? adapter.modules.length : null,
  };
}

async function checkSettings(files: readonly PathFile[]): Promise<void> {
  for (const { path, file } of files) {
    if (files.length > 1 && !path.endsWith(ADAPTER_CONFIG_FILE)) continue;
    const text = await file.text();
    if (isAdapterConfig(text)) parseAdapterConfig(text);
  }
}

export async function inspectLogs(files: readonly PathFile[], because: string, chosen: string): Promise<{ report: LogReport; faults: ErrorRecord[] }> {
  const runs: LogReport['runs'] = [];
  const faults: ErrorRecord[] = [];
  await openLogs(files, chosen, {
    run: ({ run: packed, lastStep, lastLoss }) => {
      const run = unpackRun(packed);
      runs.push({ name: run.name, steps: run.train.length, lastStep, lastLoss, metrics: [...new Set([...metricNames(run.train), ...metricNames(run.validation)])] });
    },
    fault: (error) => void faults.push(error.toRecord()),
  });
  return { report: { kind: 'log', because, runs }, faults };
}
