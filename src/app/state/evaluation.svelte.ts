/** A whole set answered by several candidates, and what was measured of it. */
import { measureSet, type MeasuredSet } from '../../evaluation/measure-set.ts';
import { LorikeetError, type ErrorRecord } from '../../protocol/errors.ts';
import type { AnsweredSample, EvaluatedSet } from '../../protocol/evaluation-messages.ts';
import type { AdapterSource, SplitName } from '../../protocol/messages.ts';
import { forgetEvaluation, keepEvaluation, readEvaluation } from '../../storage/kept-evaluation.ts';
import { dataset } from './dataset.svelte.ts';
import { settings } from './settings.svelte.ts';
import { trainer } from './trainer.svelte.ts';

export interface EvaluationProgress {
  done: number;
  total: number;
  secondsLeft: number | null;
  paused: boolean;
}

export const MAX_CANDIDATES = 4;

/** Lets the page draw between two measurements. */
const breathe = () => new Promise<void>((resume) => setTimeout(resume));

class Evaluation {
  /** Null = the base model. The others are compared with the first. */
  candidates = $state.raw<readonly (AdapterSource | null)[]>([null]);
  wantedSplit = $state<SplitName>('validation');
  /** 0 = all. */
  limit = $state(0);
  maxNewTokens = $state(256);
  running = $state(false);
  measuring = $state(false);
  progress = $state.raw<EvaluationProgress | null>(null);
  error = $state.raw<ErrorRecord | null>(null);
  /** How the set that is shown was answered. */
  outcome = $state.raw<EvaluatedSet | null>(null);
  set = $state.raw<MeasuredSet | null>(null);
  /** When the set that is shown was answered, where it comes from an earlier visit. */
  keptSince = $state<string | null>(null);
  #restored = false;
  #turn = 0;
  #samples: AnsweredSample[] = [];
  #chosenByHand = false;

  constructor() {
    trainer.subscribe((event) => {
      if (event.type !== 'evaluating' || event.turn !== this.#turn) return;
      const { done, total, secondsLeft, paused } = event;
      this.progress = { done, total, secondsLeft, paused };
      this.#samples.push(...event.samples);
    });
  }

  get splits(): readonly SplitName[] {
    return (['validation', 'train'] as const).filter((name) => this.#count(name) > 0);
  }

  get split(): SplitName {
    return this.splits.includes(this.wantedSplit) ? this.wantedSplit : (this.splits[0] ?? 'validation');
  }

  /** Samples that would be answered. */
  get count(): number {
    const all = this.#count(this.split);
    return this.limit > 0 ? Math.min(this.limit, all) : all;
  }

  choose(place: number, adapter: AdapterSource | null): void {
    this.candidates = this.candidates.map((old, i) => (i === place ? adapter : old));
    this.#chosenByHand = true;
  }

  add(adapter: AdapterSource | null): void {
    if (this.candidates.length < MAX_CANDIDATES) this.candidates = [...this.candidates, adapter];
    this.#chosenByHand = true;
  }

  remove(place: number): void {
    if (this.candidates.length > 1) this.candidates = this.candidates.filter((_, i) => i !== place);
    this.#chosenByHand = true;
  }

  /** Sets an adapter against the base model, unless the user has chosen already. */
  suggest(adapter: AdapterSource | null): void {
    if (!this.#chosenByHand && adapter) this.candidates = [null, adapter];
  }

  /**
   * Answers and measures.
   * @param names of the candidates, distinct
   */
  async run(names: readonly string[]): Promise<void> {
    const config = settings.config;
    if (this.running || !config) return;
    this.running = true;
    this.error = null;
    this.set = null;
    this.outcome = null;
    this.progress = null;
    this.keptSince = null;
    this.#restored = true;
    this.#samples = [];
    try {
      const turn = ++this.#turn;
      const { split, limit, maxNewTokens, candidates } = this;
      const outcome = await trainer.request({ type: 'evaluate', turn, split, limit, candidates, maxNewTokens, config });
      this.outcome = outcome;
      this.measuring = true;
      if (this.#samples.length === 0) return;
      this.set = await measureSet(this.#samples, names, breathe);
      await keepEvaluation({ at: new Date().toISOString(), names, outcome, samples: this.#samples });
    } catch (error) {
      this.error = LorikeetError.from(error).toRecord();
    } finally {
      this.running = false;
      this.measuring = false;
    }
  }

  /** Shows what an earlier visit measured, unless there is something newer. Once a visit. */
  async restore(): Promise<void> {
    if (this.#restored) return;
    this.#restored = true;
    try {
      const kept = await readEvaluation();
      if (!kept || this.running) return;
      const set = await measureSet(kept.samples, kept.names, breathe);
      if (this.running || this.set) return;
      Object.assign(this, { set, outcome: kept.outcome, keptSince: kept.at });
    } catch (error) {
      this.error = LorikeetError.from(error).toRecord();
    }
  }

  /** Forgets the set that is shown, here and in storage. */
  async forget(): Promise<void> {
    Object.assign(this, { set: null, outcome: null, keptSince: null });
    try {
      await forgetEvaluation();
    } catch (error) {
      this.error = LorikeetError.from(error).toRecord();
    }
  }

  async pause(paused: boolean): Promise<void> {
    await trainer.request({ type: 'pauseEvaluation', paused }).catch(() => undefined);
  }

  async stop(): Promise<void> {
    await trainer.request({ type: 'stopEvaluation' }).catch(() => undefined);
  }

  #count(split: SplitName): number {
    return (split === 'train' ? dataset.summary?.trainSamples : dataset.summary?.validationSamples) ?? 0;
  }
}

export const evaluation = new Evaluation();
