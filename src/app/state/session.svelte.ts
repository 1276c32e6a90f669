/** What spans several stores: the one-click demo, starting, resuming, and keeping model, data and plan in step with the settings. */
import type { Method, TrainingConfig } from '../../protocol/config.ts';
import { LorikeetError, type ErrorRecord } from '../../protocol/errors.ts';
import type { AdapterSource, RunSummary } from '../../protocol/messages.ts';
import { readLog, readRunSources } from '../../storage/runs.ts';
import { codeConsent } from './code-consent.svelte.ts';
import { currentRun } from './current-run.svelte.ts';
import { dataset } from './dataset.svelte.ts';
import { model } from './model.svelte.ts';
import { plan } from './plan.svelte.ts';
import { route } from './route.svelte.ts';
import { RunRecord } from './run-record.svelte.ts';
import { runs } from './runs.svelte.ts';
import { settings } from './settings.svelte.ts';
import { startingAdapter } from './starting-adapter.svelte.ts';
import { askToKeepStorage } from './storage-quota.svelte.ts';
import { trainer } from './trainer.svelte.ts';

class Session {
  /** True from the click on start or resume until the worker has the run. */
  starting = $state(false);
  /** Why the last start or resume was refused. */
  error = $state.raw<ErrorRecord | null>(null);

  get readyToStart(): boolean {
    return (
      trainer.ready &&
      model.summary !== null &&
      (dataset.summary?.trainSamples ?? 0) > 0 &&
      settings.config !== null &&
      !model.loading &&
      !dataset.loading &&
      !this.starting &&
      !currentRun.active
    );
  }

  /** Loads the built-in model and data with the demo's settings and trains. */
  async trainDemo(): Promise<void> {
    settings.chooseMethod('sft');
    settings.choosePreset('demo');
    const before = settings.config;
    if (!before) return;
    await this.#guarded(async () => {
      await startingAdapter.choose(null);
      if (!(await model.load({ kind: 'demo' }, before))) return;
      // The model before may have been of a family that is stored in another way.
      const config = settings.config ?? before;
      if (!(await dataset.load({ kind: 'demo' }, config))) return;
      await this.#begin(config);
    });
  }

  /**
   * Trains with what is loaded; loads again what the settings have changed since.
   * @returns whether the run is under way; why it is not is in `error`, or with the model or the data
   */
  async start(name?: string): Promise<boolean> {
    const config = settings.config;
    if (!config) return false;
    return this.#guarded(async () => {
      if (!(await this.#upToDate(config))) return false;
      await this.#begin(config, name);
    });
  }

  /**
   * Continues a stored run; the built-in model and data are loaded by themselves.
   * @returns whether it is under way; why it is not is in `error`
   */
  async resume(summary: RunSummary): Promise<boolean> {
    return this.#guarded(async () => {
      if (!(await codeConsent.ask((await readRunSources(summary.id)).config))) {
        throw new LorikeetError('config', 'The run brings code along that was not agreed to.', 'Resume it again and agree to the code, or start a new run without it.');
      }
      const config = await this.#loadForResume(summary.id);
      const log = await readLog(summary.id);
      const run = RunRecord.fromStorage(summary, log, []);
      run.status = 'preparing';
      run.error = null;
      currentRun.show(run);
      // A run brings its own adapter along.
      await startingAdapter.choose(null);
      askToKeepStorage();
      try {
        const { step } = await trainer.request({ type: 'resumeRun', runId: summary.id });
        run.step = step;
        // What the page says about the run's settings must be true of this run.
        settings.adopt(config);
      } catch (error) {
        currentRun.show(null);
        throw error;
      }
    });
  }

  /** Prepares the next run of the chain: another method, from a stored run's adapter, with that run's model. */
  async continueFrom(source: Extract<AdapterSource, { kind: 'run' }>, method: Method): Promise<void> {
    await this.#guarded(async () => {
      if (settings.method !== method) settings.chooseMethod(method);
      currentRun.show(null);
      route.go('train');
      await this.#loadForResume(source.runId, settings.config ?? undefined);
      await startingAdapter.choose(source);
    });
  }

  /** Prepares a run from an adapter that a run had before it blew up: that run's settings, at a tenth of its learning rate. */
  async goBack(source: Extract<AdapterSource, { kind: 'run' }>): Promise<void> {
    await this.#guarded(async () => {
      const { config } = await readRunSources(source.runId);
      if (!(await codeConsent.ask(config))) throw new LorikeetError('config', 'The run brings code along that was not agreed to.', 'Agree to the code, or start a new run without it.');
      currentRun.show(null);
      route.go('train');
      const calmer = { ...config, learning_rate: Number((config.learning_rate / 10).toPrecision(6)) };
      settings.adopt(calmer);
      await this.#loadForResume(source.runId, calmer);
      await startingAdapter.choose(source);
    });
  }

  /** Brings weights, data and plan up to the settings; called after changes, with some patience. */
  async follow(config: TrainingConfig): Promise<void> {
    if (this.starting || currentRun.active || !(await this.#upToDate(config))) return;
    if (!this.starting && !currentRun.active) await plan.refresh(config);
  }

  async #upToDate(config: TrainingConfig): Promise<boolean> {
    if (model.isStale(config) && model.source && !(await model.load(model.source, config))) return false;
    if (dataset.isStale(config) && dataset.source && !(await dataset.load(dataset.source, config))) return false;
    return model.summary !== null && dataset.summary !== null;
  }

  async #begin(config: TrainingConfig, name?: string): Promise<void> {
    // Whatever stands in the settings was typed here or agreed to.
    codeConsent.trust(config);
    if (!plan.plan) await plan.refresh(config);
    const now = new Date();
    const runId = newRunId(now);
    const run = new RunRecord(runId, name?.trim() || suggestName(model.displayName, config));
    run.totalSteps = plan.plan?.totalSteps ?? Math.max(0, config.max_steps);
    run.modelName = model.summary?.name ?? '';
    run.config = config;
    currentRun.show(run);
    askToKeepStorage();
    try {
      await trainer.request({ type: 'start', runId, name: run.name, config, auto: settings.autoIn(config), adapter: startingAdapter.source });
    } catch (error) {
      // The worker's own "failed" news, if it came, says more than the refused request.
      if (run.error === null) currentRun.show(null);
      throw error;
    }
  }

  /**
   * Gets ready what the worker cannot get by itself; returns the run's settings.
   * @param wanted settings to load with, where they are not the run's own
   */
  async #loadForResume(runId: string, wanted?: TrainingConfig): Promise<TrainingConfig> {
    const sources = await readRunSources(runId);
    const config = wanted ?? sources.config;
    if (sources.model.kind === 'files' && sources.model.handle) await askToRead(sources.model.handle);
    if (model.summary === null) {
      const source = model.source ?? (sources.model.kind === 'demo' ? { kind: 'demo' as const } : null);
      if (source && !(await model.load(source, config)) && model.error) throw LorikeetError.fromRecord(model.error);
    }
    if (dataset.summary === null) {
      const source = dataset.source ?? (sources.dataset.kind === 'demo' ? sources.dataset : null);
      if (source && !(await dataset.load(source, config)) && dataset.error) throw LorikeetError.fromRecord(dataset.error);
    }
    return sources.config;
  }

  /** @returns false when the action was refused, or itself returned false */
  async #guarded(action: () => Promise<void | false>): Promise<boolean> {
    if (this.starting) return false;
    this.starting = true;
    this.error = null;
    try {
      return (await action()) !== false;
    } catch (error) {
      this.error = LorikeetError.from(error).toRecord();
      return false;
    } finally {
      this.starting = false;
      void runs.refresh();
    }
  }
}

/** A stored folder may be read again only after a click; the worker cannot ask for it. */
async function askToRead(handle: FileSystemDirectoryHandle): Promise<void> {
  const asking = handle as FileSystemDirectoryHandle & { requestPermission?: (options: { mode: 'read' }) => Promise<PermissionState> };
  await asking.requestPermission?.({ mode: 'read' });
}

/** Sortable and readable: run-20261122-102152-4f1a. */
function newRunId(now: Date): string {
  const stamp = now.toISOString().slice(0, 19).replaceAll(/[-:]/g, '').replace('T', '-');
  return `run-${stamp}-${crypto.randomUUID().slice(0, 4)}`;
}

/** Names a run by what differs between runs. */
export function suggestName(modelName: string, config: TrainingConfig): string {
  const length = config.max_steps > 0 ? `${config.max_steps} steps` : `${config.num_train_epochs} epochs`;
  const method = config.method === 'sft' ? '' : ` · ${config.method.toUpperCase()}`;
  return `${modelName}${method} · r ${config.r} · lr ${config.learning_rate.toExponential().replace('e+0', '')} · ${length}`;
}

export const session = new Session();
