/** The base model and adapters on it that answer the same prompts; nothing of them is trained. */
import { adaptedModules, groupBySharedInput } from '../checkpoint/adapted-modules.ts';
import type { Adapter } from '../checkpoint/adapter.ts';
import { patternsInUse } from '../checkpoint/module-ranks.ts';
import { generateSideBySide, type Answerer } from '../generation/generate.ts';
import type { GeneratedAnswer } from '../generation/options.ts';
import { promptsThatFit, roomFor } from '../generation/plan.ts';
import { AdapterWeights } from '../model/adapter-weights.ts';
import { passContext } from '../model/parts/pass-context.ts';
import type { VisionLanguageModel } from '../model/vision-language-model.ts';
import type { PackedBatch } from '../processing/types.ts';

export interface GreedyOptions {
  maxNewTokens: number;
  stopIds: readonly number[];
  /** New ids of each prompt's answer, and which candidate wrote them; false ends all. */
  onTokens: (fresh: readonly (readonly number[])[], candidate: number) => boolean | Promise<boolean>;
  /** Before and after the look at the pictures that candidates share. */
  onLook: (when: 'begun' | 'done') => void;
}

/** What a session needs of candidates; faked in its tests. */
export interface Candidates {
  /** By candidate: whether its adapter leaves the vision tower alone, so that its pictures are looked at once for all of these. */
  readonly sharedVision: readonly boolean[];
  /** How many prompts of this length may be answered at once; at least 1. */
  promptsAtOnce(promptTokens: number, maxNewTokens: number): number;
  /** Greedy answers with the probabilities of their tokens, by candidate and prompt. */
  answer(prompts: PackedBatch, ropeDeltas: readonly number[], options: GreedyOptions): Promise<GeneratedAnswer[][]>;
  dispose(): void;
}

export class SideBySide implements Candidates {
  private readonly weights: AdapterWeights[] = [];
  private readonly answerers: Answerer[];
  readonly sharedVision: readonly boolean[];

  /**
   * @param adapters null = the base model alone
   * @throws LorikeetError "adapter", "out-of-memory"
   */
  constructor(
    private readonly model: VisionLanguageModel,
    adapters: readonly (Adapter | null)[],
  ) {
    try {
      this.answerers = adapters.map((adapter) => this.answererOf(adapter));
    } catch (error) {
      this.dispose();
      throw error;
    }
    this.sharedVision = this.answerers.map(({ sees }) => sees === 'as base');
  }

  promptsAtOnce(promptTokens: number, maxNewTokens: number): number {
    const { architecture, gpu } = this.model;
    return promptsThatFit(roomFor(architecture, maxNewTokens, gpu.device.limits.maxStorageBufferBindingSize), promptTokens, maxNewTokens);
  }

  async answer(prompts: PackedBatch, ropeDeltas: readonly number[], { maxNewTokens, stopIds, onTokens, onLook }: GreedyOptions): Promise<GeneratedAnswer[][]> {
    const answers = await generateSideBySide(this.model, this.answerers, prompts, ropeDeltas, {
      maxNewTokens,
      stopIds,
      numGenerations: 1,
      sampling: null,
      withProbabilities: true,
      onLook,
      onTokens: (fresh, _done, _total, candidate) => onTokens(fresh, candidate),
    });
    this.model.gpu.releaseFree();
    return answers;
  }

  dispose(): void {
    for (const weights of this.weights.splice(0)) weights.dispose();
  }

  private answererOf(adapter: Adapter | null): Answerer {
    const { gpu, architecture } = this.model;
    if (!adapter) return { context: passContext(gpu, null, null), sees: 'as base' };
    const { config, modules: paths, tensors } = adapter;
    const { r, lora_alpha, use_rslora } = config;
    const modules = adaptedModules(architecture.linearModules, { r, lora_alpha, use_rslora, ...patternsInUse(paths, config), target_modules: paths });
    const weights = new AdapterWeights(gpu, groupBySharedInput(modules), { loraDropout: 0, seed: 0 });
    this.weights.push(weights);
    weights.writeWeights(tensors);
    return { context: passContext(gpu, weights, null), sees: modules.some(({ part }) => part === 'visual') ? 'itself' : 'as base' };
  }
}
