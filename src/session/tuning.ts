/** Finds what the device is fastest with while nothing else uses the GPU, class by class, and keeps it for the next visit. */
import { LorikeetError } from '../protocol/errors.ts';
import type { TunedClass, TuningState } from '../protocol/tuning.ts';
import { forgetTuning, keepTuned, noteAttempt, readTuning, type TuningScope } from '../storage/tuned-classes.ts';
import type { Choices, Engine } from './engine.ts';

/** Milliseconds that it may take altogether; classes beyond keep their usual form until the next visit. */
const BUDGET = { gpu: 10_000, cpu: 90_000 };

export class Tuning {
  private engine: Engine | null = null;
  private scope: TuningScope | null = null;
  private held = false;
  /** Keys of the classes still to look at. */
  private pending: string[] = [];
  private total = 0;
  private spent = 0;
  private found = new Map<string, TunedClass>();
  private attempts: ReadonlyMap<string, number> = new Map();
  private going: Promise<void> | null = null;

  /** @param publish takes the state whenever it changes */
  constructor(private readonly publish: (state: TuningState) => void) {}

  /** Takes up what was found on earlier visits, and looks for the rest. A CPU's tables are measured already: it is tuned only when asked. */
  async attach(engine: Engine): Promise<void> {
    const { device, kernels, lost } = engine;
    const scope = { adapter: device.adapter, browser: navigator.userAgent, version: kernels.version };
    const kept = await this.stored(() => readTuning(scope));
    this.engine = engine;
    this.scope = scope;
    this.attempts = kept?.attempts ?? new Map();
    this.found = new Map(kept?.found.map((found) => [found.key, found]));
    const settled = new Set([...this.found.keys(), ...(kept?.avoided ?? [])]);
    this.plan(device.isFallback ? [] : kernels.classes.filter((key) => !settled.has(key)));
    kernels.use(this.choices());
    void lost.then(() => this.plan([]));
    this.report();
    this.go();
  }

  /** Ends at the next form; resolves when the GPU is free. */
  async hold(): Promise<void> {
    this.held = true;
    await this.going;
    this.report();
  }

  /** Puts the device's own choices in force again and goes on with what is left. */
  release(): void {
    if (!this.held) return;
    this.held = false;
    this.engine?.kernels.use(this.choices());
    this.report();
    this.go();
  }

  /** Begins anew, once it is released. */
  async forget(): Promise<void> {
    const { engine, scope } = this;
    if (!engine || !scope) return;
    await this.stored(() => forgetTuning(scope));
    this.found.clear();
    this.attempts = new Map();
    this.spent = 0;
    this.plan([...engine.kernels.classes]);
  }

  private plan(keys: string[]): void {
    this.pending = keys;
    this.total = keys.length;
  }

  private choices(): Choices {
    return Object.fromEntries([...this.found.values()].map(({ key, variant }) => [key, variant]));
  }

  private go(): void {
    if (this.going || this.held || this.pending.length === 0) return;
    this.going = this.work().finally(() => {
      this.going = null;
      this.report();
    });
    this.report();
  }

  private async work(): Promise<void> {
    const { engine, scope } = this;
    if (!engine || !scope) return;
    const budget = engine.device.isFallback ? BUDGET.cpu : BUDGET.gpu;
    while (this.pending.length > 0 && !this.held) {
      const [key] = this.pending;
      const before = this.attempts.get(key) ?? 0;
      await this.stored(() => noteAttempt(scope, key, before + 1));
      const start = performance.now();
      const over = () => this.spent + performance.now() - start > budget;
      const tuned = await this.raced(engine, key, () => this.held || over());
      const tooLong = over();
      this.spent += performance.now() - start;
      if (tuned) {
        this.found.set(key, tuned);
        engine.kernels.use(this.choices());
        await this.stored(() => keepTuned(scope, tuned));
      } else if (this.held || tooLong) {
        await this.stored(() => noteAttempt(scope, key, before));
        if (this.held) return;
      }
      this.pending = tooLong ? [] : this.pending.slice(1);
      this.report();
    }
  }

  /** Tuning only saves time: a class that cannot be timed keeps its usual form, and says so by being absent. */
  private async raced({ kernels }: Engine, key: string, ended: () => boolean): Promise<TunedClass | null> {
    try {
      return await kernels.race(key, ended);
    } catch {
      return null;
    }
  }

  /** Without storage it is found again on every visit. */
  private async stored<T>(access: () => Promise<T>): Promise<T | null> {
    try {
      return await access();
    } catch (error) {
      if (error instanceof LorikeetError) return null;
      throw error;
    }
  }

  private report(): void {
    if (!this.engine) return;
    const left = this.pending.length;
    const { classes } = this.engine.kernels;
    this.publish({
      status: left === 0 ? 'idle' : this.held ? 'waiting' : this.going ? 'running' : 'idle',
      done: this.total - left,
      total: this.total,
      classes: classes.flatMap((key) => this.found.get(key) ?? []),
    });
  }
}
