/** Adapters to start from: where their files lie, and whether they fit the model and the settings. */
import { ADAPTER_CONFIG_FILE, ADAPTER_WEIGHTS_FILE, readAdapter, type Adapter, type AdapterBase } from '../checkpoint/adapter.ts';
import { adapterFilesIn } from '../checkpoint/adapter-files.ts';
import { UrlFileSource } from '../checkpoint/file-source.ts';
import { moduleRanks, patternsInUse, rankOf } from '../checkpoint/module-ranks.ts';
import { matchTargetModules } from '../checkpoint/target-modules.ts';
import type { LinearModule } from '../families/architecture.ts';
import type { TrainingConfig } from '../protocol/config.ts';
import { LorikeetError } from '../protocol/errors.ts';
import type { AdapterSource, AdapterSummary } from '../protocol/messages.ts';
import { readRunDirectory } from '../storage/runs.ts';

/** Larger adapter files are refused before they are read. */
const MAX_ADAPTER_BYTES = 2 ** 31 - 1;
const MAX_CONFIG_BYTES = 2 ** 20;

export interface StartingAdapter {
  name: string;
  adapter: Adapter;
}

/**
 * Reads an adapter and checks it against the model's layers.
 * @param demoUrl address of the demo folder
 * @throws LorikeetError "file-missing", "file-corrupt", "file-too-large", "adapter"
 */
export async function openAdapter(source: AdapterSource, demoUrl: string, model: AdapterBase): Promise<StartingAdapter> {
  const { name, config, weights } = await locate(source, demoUrl);
  if (config.size > MAX_CONFIG_BYTES || weights.size > MAX_ADAPTER_BYTES) {
    throw new LorikeetError('file-too-large', `The adapter ${name} is too large to be one.`, 'Choose the folder that PEFT saved.', { file: name });
  }
  return { name, adapter: await readAdapter(await config.text(), weights, model) };
}

async function locate(source: AdapterSource, demoUrl: string): Promise<{ name: string; config: Blob; weights: Blob }> {
  switch (source.kind) {
    case 'demo': {
      const files = new UrlFileSource(new URL('adapter', demoUrl).href, [ADAPTER_CONFIG_FILE, ADAPTER_WEIGHTS_FILE]);
      return { name: 'demo', config: await files.blob(ADAPTER_CONFIG_FILE), weights: await files.blob(ADAPTER_WEIGHTS_FILE) };
    }
    case 'run': {
      const { name, files } = await readRunDirectory(source.runId, source.directory);
      return { name: `${name}/${source.directory}`, ...adapterFilesIn(files, name) };
    }
    case 'files':
      return { name: source.name, ...adapterFilesIn(source.files, source.name, source.folder) };
  }
}

/**
 * What the page shows of an adapter, and takes over into the settings.
 * @param all the model's linear layers
 */
export function summarizeAdapter({ name, adapter }: StartingAdapter, all: readonly LinearModule[]): AdapterSummary {
  const { config, tensors, modules } = adapter;
  return {
    name,
    r: config.r,
    lora_alpha: config.lora_alpha,
    use_rslora: config.use_rslora,
    ...patternsInUse(modules, config),
    target_modules: targetModules(adapter, all),
    modules: modules.length,
    parameters: tensors.reduce((sum, { data }) => sum + data.length, 0),
    baseModel: config.base_model_name_or_path,
  };
}

/** The adapter's own expression where it names just its modules in this model; else the modules one by one. */
function targetModules({ config, modules }: Adapter, all: readonly LinearModule[]): string | string[] {
  try {
    const named = matchTargetModules(config.target_modules, all.map(({ path }) => path));
    if (named.join() === modules.join()) return config.target_modules;
  } catch {
    // Older names, or none at all: the tensors themselves say which modules they belong to.
  }
  return modules;
}

/**
 * A run that starts from an adapter goes on with its shape.
 * @throws LorikeetError "adapter" naming the first setting that differs
 */
export function checkFits({ name, adapter }: StartingAdapter, config: TrainingConfig): void {
  for (const field of ['r', 'lora_alpha', 'use_rslora'] as const) {
    if (adapter.config[field] === config[field]) continue;
    throw new LorikeetError(
      'adapter',
      `The adapter ${name} has ${field} = ${String(adapter.config[field])}, the settings say ${String(config[field])}.`,
      `Set ${field} to ${String(adapter.config[field])}, or start from another adapter.`,
      { field },
    );
  }
  const own = moduleRanks(adapter.modules, adapter.config, 'adapter');
  const wanted = moduleRanks(adapter.modules, config);
  for (const path of adapter.modules) {
    for (const [field, key] of [['rank_pattern', 'r'], ['alpha_pattern', 'loraAlpha']] as const) {
      const has = rankOf(own, path)[key];
      const says = rankOf(wanted, path)[key];
      if (has === says) continue;
      throw new LorikeetError(
        'adapter',
        `The adapter ${name} has ${key === 'r' ? 'rank' : 'alpha'} ${has} on ${path}, the settings say ${says}.`,
        `Take over the adapter's ${field}, or start from another adapter.`,
        { field },
      );
    }
  }
}
