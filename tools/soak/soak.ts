/** One run after the other, each with its own faults, and what came of them. */
import { join } from 'node:path';
import { parseTrainingConfig } from '../../src/protocol/config.ts';
import { formatDuration } from '../browser/command-line.ts';
import { prepareDataset } from '../demo/small-dataset.ts';
import { Random } from '../random.ts';
import { differences } from './compare.ts';
import { keepEvidence } from './evidence.ts';
import { Fall } from './fall.ts';
import { drawStrikes, isFromOutside, type Strike, type Struck } from './faults.ts';
import type { SoakOptions } from './options.ts';
import { undisturbed, type Undisturbed } from './undisturbed.ts';
import { User } from './user.ts';
import { World } from './world.ts';

/** As small as a run can be that still validates twice, answers, and saves each kind of file. */
const CONFIG = parseTrainingConfig({
  r: 4, lora_alpha: 8, lora_dropout: 0.1, learning_rate: 2e-3, per_device_train_batch_size: 1, gradient_accumulation_steps: 2, max_steps: 4,
  logging_steps: 1, eval_steps: 2, eval_on_start: false, eval_num_samples: 1, eval_batch_size: 1, max_new_tokens: 4, save_steps: 2, max_length: 512, max_image_size: 0,
});
const SAMPLES = { 'sft_train.json': 5, 'sft_val.json': 2 };

/** More than any faults can ask for. */
const WORKERS = 40;

export class Soak {
  readonly struck: Struck[] = [];
  /** Numbers of the runs that fell. */
  readonly fallen: number[] = [];
  /** Exceptions of the page's own scripts that nobody caught. */
  readonly #uncaught: string[] = [];
  readonly #began = performance.now();
  #world!: World;
  #folder = '';
  #user: User | null = null;
  #run = 0;
  #worker = 0;

  constructor(private readonly options: SoakOptions) {}

  /** Runs until there were enough faults, or the time is over. */
  async go(): Promise<void> {
    const { faults, hours, seed, run } = this.options;
    this.#world = await World.open({
      hear: (heard) => this.#user?.known.hear(heard),
      note: (line) => this.#user?.note(line),
      uncaught: (text) => {
        this.#uncaught.push(text);
        this.#user?.note(text);
      },
    });
    try {
      this.#world.site.onStruck = (strike) => this.#strike(strike);
      this.#folder = prepareDataset(join(this.#world.scratch, 'samples'), SAMPLES);
      const whole = await undisturbed(CONFIG, () => this.#undisturbed());
      this.#world.site.counts = whole.counts;
      console.log(`seed ${seed}; an undisturbed run has ${Object.entries(whole.counts).map(([name, count]) => `${count} × ${name}`).join(', ')}; ${since(this.#began)}`);
      if (run !== null) return await this.#disturbed(run, whole);
      for (let next = 1; this.struck.length < faults && performance.now() - this.#began < hours * 3_600_000; next++) await this.#disturbed(next, whole);
    } finally {
      await this.#world.close();
    }
  }

  async #undisturbed(): Promise<Undisturbed> {
    const files = await this.#train(() => []);
    if (!this.#world.site.counts) throw new Error('The undisturbed run did not say how many operations it has.');
    return { files, counts: this.#world.site.counts };
  }

  async #disturbed(run: number, { files: whole, counts: first }: Undisturbed): Promise<void> {
    const { seed, soft, hard } = this.options;
    const before = performance.now();
    const already = this.struck.length;
    const random = new Random('soak', seed, run);
    this.#run = run;
    this.#worker = 0;
    let found: Record<string, Uint8Array> | null = null;
    let outcome: string[];
    try {
      found = await this.#train((user, worker) => drawStrikes({ counts: this.#world.site.counts ?? first, left: user.workerBegan(), soft, hard: worker <= hard }, random));
      outcome = differences(found, whole);
    } catch (error) {
      outcome = [error instanceof Error ? error.message : String(error)];
    }
    outcome.push(...this.#uncaught.splice(0));
    const { known, diary } = this.#user!;
    const struck = this.struck.slice(already);
    const held = outcome.length === 0;
    console.log(`run ${run}: ${struck.length} faults, ${this.#worker} workers, started ${known.begun}, resumed ${known.resumed}: ${held ? 'the same to the last bit' : 'FELL'}; ${since(before)}`);
    if (held) return;
    this.fallen.push(run);
    const place = keepEvidence(`seed-${seed}-run-${run}`, { outcome, diary, struck, picture: await this.#world.picture(), found, whole });
    console.log([...outcome.map((line) => `    ${line}`), `    kept in ${place}; once more with --seed ${seed} --run ${run} --soft ${soft} --hard ${hard}`].join('\n'));
    await this.#world.startOver();
  }

  async #train(plan: (user: User, worker: number) => Strike[]): Promise<Record<string, Uint8Array>> {
    const user = new User(this.#world, this.#folder, CONFIG, (line) => this.options.diary && console.log(`    ${line}`));
    this.#user = user;
    this.#world.site.plan = () => {
      if (this.#world.visited) return [];
      this.#worker++;
      if (this.#worker > WORKERS) user.known.fall = new Fall(`${this.#worker} trainers brought the run to no end.`);
      return plan(user, this.#worker);
    };
    return user.trainToTheEnd();
  }

  async #strike(struck: Struck): Promise<void> {
    this.struck.push(struck);
    this.#user?.struck(struck);
    const { faults } = this.options;
    const count = this.struck.length;
    const left = Number.isFinite(faults) && count < faults ? `; about ${formatDuration((((performance.now() - this.#began) / 1000) * (faults - count)) / count)} left` : '';
    console.log(`fault ${count}${Number.isFinite(faults) ? ` of ${faults}` : ''}: run ${this.#run}, worker ${this.#worker}: ${struck.fault} at ${struck.operation} ${struck.at}, ${struck.phase}${left}`);
    if (isFromOutside(struck.fault)) await this.#world.strike(struck.fault, this.#user?.known.runId ?? null);
  }
}

export const since = (start: number): string => formatDuration((performance.now() - start) / 1000);
