/** Saving a run and getting it back: best/, final/, checkpoint-<step>/ and a rolling resume state, each switched in whole. */
import type { TrainingConfig } from '../protocol/config.ts';
import { LorikeetError } from '../protocol/errors.ts';
import { isCheckpoint, RESUME_DIRECTORY } from '../storage/records.ts';
import type { DirectoryCompanions, RunWriter } from '../storage/run-writer.ts';
import type { AdapterTensor } from '../checkpoint/adapter-tensor.ts';
import type { OptimizerState, TrainableModel } from './trainable-model.ts';
import { readOptimizerFile, writeOptimizerFile } from './optimizer-file.ts';
import type { TrainerState, TrainerStateContext } from './trainer-state.ts';
import { readTrainerState, writeTrainerState } from './trainer-state.ts';

const STATE = 'trainer_state.json';
const OPTIMIZER = 'optimizer.safetensors';

/** How an adapter is laid out in files (PEFT). */
export interface AdapterFormat {
  /** adapter_config.json and adapter_model.safetensors. */
  write(tensors: readonly AdapterTensor[]): Map<string, Uint8Array>;
  /** @throws LorikeetError "adapter", "file-corrupt", "tensor-shape" */
  read(files: ReadonlyMap<string, Uint8Array>): Promise<AdapterTensor[]>;
}

/** A stored state that could not be read, and why. */
export interface LostCheckpoint {
  directory: string;
  error: LorikeetError;
}

interface StoredState {
  state: TrainerState;
  adapter: AdapterTensor[];
  optimizer: OptimizerState;
  files: ReadonlyMap<string, Uint8Array>;
}

export class Checkpoints {
  constructor(
    private readonly writer: RunWriter,
    private readonly model: TrainableModel,
    private readonly format: AdapterFormat,
    private readonly saveTotalLimit: TrainingConfig['save_total_limit'],
  ) {}

  /** Step of the newest stored state, or null. */
  get newestStep(): number | null {
    const steps = this.candidates().map(([, { step }]) => step);
    return steps.length > 0 ? Math.max(...steps) : null;
  }

  /** Stores everything an exact resume needs in the rolling slot. */
  async saveResumeState(state: TrainerState, context: TrainerStateContext, files?: ReadonlyMap<string, Uint8Array>): Promise<void> {
    await this.saveState(RESUME_DIRECTORY, state, context, files);
  }

  /** Stores a numbered checkpoint, then removes the oldest ones beyond the limit. */
  async saveCheckpoint(name: string, state: TrainerState, context: TrainerStateContext, files?: ReadonlyMap<string, Uint8Array>): Promise<void> {
    await this.saveState(name, state, context, files);
    await this.removeOldest();
  }

  /** Stores the adapter alone, as best/ or final/, visible together with its companions. */
  async saveAdapter(name: 'best' | 'final', step: number, companions: DirectoryCompanions = {}): Promise<void> {
    const adapter = await this.readFiniteAdapter();
    await this.writer.writeDirectory(name, step, this.format.write(adapter), companions);
  }

  /** Gives back the space of the rolling slot once a run needs no resuming, and of checkpoints that an interruption left beyond the limit. */
  async dropResumeState(): Promise<void> {
    await this.removeOldest();
    await this.writer.removeDirectory(RESUME_DIRECTORY);
  }

  /**
   * Puts the newest readable state into the model.
   * @returns the state, all files it lies in, and what had to be passed over because it was damaged
   * @throws LorikeetError "resume" when no stored state can be read
   */
  async restore(): Promise<{ state: TrainerState; files: ReadonlyMap<string, Uint8Array>; lost: LostCheckpoint[] }> {
    const lost: LostCheckpoint[] = [];
    const newestFirst = this.candidates().sort(([, a], [, b]) => b.step - a.step || b.savedAt.localeCompare(a.savedAt));
    for (const [directory] of newestFirst) {
      // What cannot be read at one moment often can at the next, and hours of training may lie between two states.
      const stored = await this.load(directory)
        .catch(() => this.load(directory))
        .catch((error: unknown) => LorikeetError.from(error));
      if (stored instanceof LorikeetError) {
        lost.push({ directory, error: stored });
        continue;
      }
      await this.model.writeAdapter(stored.adapter);
      await this.model.writeOptimizer(stored.optimizer);
      return { state: stored.state, files: stored.files, lost };
    }
    const reason = lost.length > 0 ? `: ${lost[0].error.message}` : '.';
    throw new LorikeetError('resume', `No stored state of this run can be read${reason}`, 'Start a new run; the log and the adapters stored so far can still be downloaded.');
  }

  private async removeOldest(): Promise<void> {
    if (this.saveTotalLimit === 0) return;
    const numbered = Object.entries(this.writer.directories).filter(([name]) => isCheckpoint(name) && name !== RESUME_DIRECTORY);
    numbered.sort(([, a], [, b]) => b.step - a.step);
    for (const [name] of numbered.slice(this.saveTotalLimit)) await this.writer.removeDirectory(name);
  }

  private candidates() {
    return Object.entries(this.writer.directories).filter(([name, { passedOver }]) => isCheckpoint(name) && !passedOver);
  }

  private async saveState(directory: string, state: TrainerState, context: TrainerStateContext, more: ReadonlyMap<string, Uint8Array> = new Map()): Promise<void> {
    const adapter = await this.readFiniteAdapter();
    const optimizer = await this.model.readOptimizer();
    const files = this.format.write(adapter);
    files.set(OPTIMIZER, writeOptimizerFile(optimizer));
    files.set(STATE, writeTrainerState(state, context));
    for (const [path, bytes] of more) files.set(path, bytes);
    await this.writer.writeDirectory(directory, state.step, files);
  }

  private async load(directory: string): Promise<StoredState> {
    const files = await this.writer.readDirectory(directory);
    const state = readTrainerState(required(files, directory, STATE), `${directory}/${STATE}`);
    const adapter = await this.format.read(files);
    const optimizer = await readOptimizerFile(required(files, directory, OPTIMIZER), adapter, `${directory}/${OPTIMIZER}`);
    return { state, adapter, optimizer, files };
  }

  /** A state with NaN in it must never replace a good one. */
  private async readFiniteAdapter(): Promise<AdapterTensor[]> {
    const adapter = await this.model.readAdapter();
    for (const { name, data } of adapter) {
      if (!data.every(Number.isFinite)) {
        throw new LorikeetError('not-finite', `The adapter tensor ${name} holds values that are not finite numbers.`, 'Lower learning_rate or max_grad_norm, then start again.', {
          field: name,
        });
      }
    }
    return adapter;
  }
}

function required(files: ReadonlyMap<string, Uint8Array>, directory: string, name: string): Uint8Array {
  const bytes = files.get(name);
  if (!bytes) throw new LorikeetError('file-missing', `${directory} has no ${name}.`, '', { file: `${directory}/${name}` });
  return bytes;
}
