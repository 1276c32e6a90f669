/** The trainer behind the protocol: holds device, model, dataset and at most one run, and answers the page's requests. */
import type { LinearModule } from '../families/architecture.ts';
import type { TrainingConfig } from '../protocol/config.ts';
import { messageText, type Message } from '../processing/conversation.ts';
import type { Processor } from '../processing/processor.ts';
import { LorikeetError } from '../protocol/errors.ts';
import type { RunNotice } from '../protocol/log.ts';
import type { AdapterSource, DatasetSource, PaceKey, PathFile, PowerPreference, Replies, Request, RunPlan, TrainerEvent } from '../protocol/messages.ts';
import { say, type Saying } from '../protocol/sayings.ts';
import { lockRun } from '../storage/locks.ts';
import { RunWriter } from '../storage/run-writer.ts';
import { keepDataset, referToModel } from '../storage/sources.ts';
import type { DatasetReference } from '../storage/sources.ts';
import { logConfig } from '../training/log.ts';
import type { TrainingRun } from '../training/loop.ts';
import { followLength } from '../training/pace.ts';
import { planRun, totalSteps, workOf } from '../training/planner.ts';
import { demoFolder, demoRecords } from './demo.ts';
import { viewClip } from './clip-view.ts';
import type { Engine, OpenEngine } from './engine.ts';
import { pairsFrom } from './made-pairs.ts';
import { MeasuredSpeed } from './measured-speed.ts';
import { Playground } from './playground.ts';
import { progressReporter, type ReportProgress } from './progress.ts';
import { buildRewards, buildValidator } from './method-builder.ts';
import { buildRun, environmentOf, keepStart, readStart, startFrom } from './run-builder.ts';
import type { RunIngredients } from './run-builder.ts';
import { sampleSizes, validationSizes } from './sample-sizes.ts';
import { checkFits, openAdapter, summarizeAdapter } from './starting-adapter.ts';
import type { RunData } from './run-data.ts';
import type { StartingAdapter } from './starting-adapter.ts';
import { kindOf, SessionDataset } from './session-dataset.ts';
import { SessionModel } from './session-model.ts';
import { SetAnswering } from './set-answering.ts';
import { DoesNotFit, tryLargest } from './trial.ts';
import { Tuning } from './tuning.ts';

/** Requests that end answers that are still being written. */
const ENDS_GENERATION: readonly Request['type'][] = ['start', 'resumeRun', 'loadModel'];

type QueuedRequest = Exclude<Request, { type: 'ping' | 'checkDataset' | 'pause' | 'continue' | 'stop' | 'saveNow' | 'stopGenerating' | 'pauseEvaluation' | 'stopEvaluation' | 'sample' }>;

/** Requests that the tuning of the device makes room for. */
const NEEDS_GPU: readonly Request['type'][] = ['start', 'resumeRun', 'loadModel', 'generate', 'evaluate', 'tune'];

export class TrainerSession {
  private engine: Promise<Engine> | null = null;
  private power: PowerPreference = 'high-performance';
  private readonly model: SessionModel;
  private readonly dataset: SessionDataset;
  private readonly progress: ReportProgress;
  private readonly playground: Playground;
  private readonly setAnswering: SetAnswering;
  private readonly tuning: Tuning;
  private readonly speed = new MeasuredSpeed();
  private active: { id: string; run: TrainingRun } | null = null;
  private queue: Promise<unknown> = Promise.resolve();
  private lost: LorikeetError | null = null;
  private lastWord: TrainerEvent | null = null;

  /**
   * @param demoUrl address of the demo folder
   * @param publish takes the session's news, in order
   */
  constructor(
    private readonly openEngine: OpenEngine,
    private readonly demoUrl: string,
    private readonly publish: (event: TrainerEvent) => void,
  ) {
    this.progress = progressReporter(publish);
    this.model = new SessionModel(() => this.device(), demoUrl, this.progress, (kept) => publish({ type: 'kept', kept }));
    this.dataset = new SessionDataset(demoUrl, this.progress);
    this.playground = new Playground(this.model, publish);
    this.setAnswering = new SetAnswering(this.model, publish);
    this.tuning = new Tuning((state) => publish({ type: 'tuning', state }));
  }

  /**
   * Answers one request. Requests that control a run are answered at once, the others one after another.
   * @throws LorikeetError of every code
   */
  async handle(request: Request): Promise<Replies[keyof Replies]> {
    switch (request.type) {
      case 'ping':
        return null;
      case 'pause':
        this.activeRun().control.pause();
        return null;
      case 'continue':
        this.activeRun().control.continue();
        return null;
      case 'stop':
        this.activeRun().control.stop();
        return null;
      case 'saveNow':
        return { step: await this.activeRun().control.saveNow() };
      case 'stopGenerating':
        this.playground.stop();
        return null;
      case 'pauseEvaluation':
        this.setAnswering.pause(request.paused);
        return null;
      case 'stopEvaluation':
        this.setAnswering.stop();
        return null;
      // Samples can be looked at while the others are being checked.
      case 'sample':
        return this.dataset.sample(request.split, request.index, this.model.open);
      // Runs and plans do not wait for it: it goes on beside them.
      case 'checkDataset':
        return this.dataset.check(this.model.open, this.resolved(request).config, () => this.active !== null);
      default: {
        // Whoever changes what the GPU holds need not wait for an answer to be finished.
        if (ENDS_GENERATION.includes(request.type)) {
          this.playground.stop();
          this.setAnswering.stop();
        }
        const answer = this.queue.then(() => this.withRoom(request));
        this.queue = answer.catch(() => undefined);
        return answer;
      }
    }
  }

  /** Tells of a promise that was rejected and nobody waited for. What a lost device leaves behind has been told with it. */
  async uncaught(reason: unknown): Promise<void> {
    // The device says that it is lost in a task of its own, which may come later.
    await new Promise((resolve) => setTimeout(resolve));
    if (!this.lost) this.publish({ type: 'failed', runId: null, error: LorikeetError.from(reason).toRecord() });
  }

  private async withRoom(request: QueuedRequest): Promise<Replies[keyof Replies]> {
    if (!NEEDS_GPU.includes(request.type)) return this.answer(request);
    await this.tuning.hold();
    try {
      return await this.answer(request);
    } finally {
      if (!this.active) this.tuning.release();
    }
  }

  private async answer(asked: QueuedRequest): Promise<Replies[keyof Replies]> {
    const request = this.resolved(asked);
    switch (request.type) {
      case 'openDevice':
        this.power = request.power;
        return (await this.device()).device;
      case 'tune':
        this.requireIdle();
        await this.device();
        await this.tuning.forget();
        return null;
      case 'loadModel':
        this.requireIdle();
        return this.model.load(request.source, request.config, request.advised);
      case 'loadDataset':
        this.requireIdle();
        return this.dataset.load(request.source, this.model.open, request.config);
      case 'viewClip':
        return viewClip(this.model.require(), request.clip, request.config);
      case 'plan':
        return this.plan(request.config, request.auto);
      case 'makePairs':
        return pairsFrom(await this.dataset.asConversations(request.config, this.model.open), request.settings);
      case 'inspectAdapter':
        return summarizeAdapter(await this.openAdapter(request.source), this.linearModules());
      case 'generate':
        return this.generate(request);
      case 'evaluate':
        return this.evaluate(request);
      case 'start':
        return this.start(request);
      case 'resumeRun':
        return this.resume(request.runId);
    }
  }

  /** What the settings leave to the model becomes what its family does: nobody further down meets "auto" once a model is open. */
  private resolved<R extends Request>(request: R): R {
    const { open } = this.model;
    if (!open || !('config' in request) || request.config.box_convention !== 'auto') return request;
    return { ...request, config: { ...request.config, box_convention: open.files.architecture.boxUnit } };
  }

  /** Runs and answers share the GPU and its one adapter: a run, paused or not, comes first. */
  private async generate(request: Extract<Request, { type: 'generate' }>): Promise<Replies['generate']> {
    this.requireIdle();
    const adapter = request.adapter ? await this.openAdapter(request.adapter) : null;
    return this.playground.generate(request, adapter);
  }

  private async evaluate(request: Extract<Request, { type: 'evaluate' }>): Promise<Replies['evaluate']> {
    this.requireIdle();
    const open = this.model.require();
    const adapters: (StartingAdapter | null)[] = [];
    for (const source of request.candidates) adapters.push(source && (await this.openAdapter(source)));
    const { [request.split]: samples } = await this.dataset.asQuestions(request.config, open);
    return this.setAnswering.run(request, samples, adapters);
  }

  private openAdapter(source: AdapterSource): Promise<StartingAdapter> {
    return openAdapter(source, this.demoUrl, this.model.require().files.architecture);
  }

  private linearModules(): readonly LinearModule[] {
    return this.model.require().files.architecture.linearModules;
  }

  private activeRun(): TrainingRun {
    if (!this.active) throw new LorikeetError('config', 'No run is under way.', 'Start or resume one first.');
    return this.active.run;
  }

  private requireIdle(): void {
    if (this.active) throw new LorikeetError('config', 'A run is under way in this tab.', 'Wait for its end or stop it first.');
  }

  private async device(): Promise<Engine> {
    this.engine ??= this.openEngine(this.power).then(async (engine) => {
      void engine.lost.then((error) => this.deviceLost(error));
      this.speed.opened(engine.speed);
      await this.tuning.attach(engine);
      return engine;
    });
    try {
      return await this.engine;
    } catch (error) {
      this.engine = null;
      throw error;
    }
  }

  private deviceLost(error: LorikeetError): void {
    if (this.lost) return;
    this.lost = error;
    this.publish({ type: 'failed', runId: this.active?.id ?? null, error: error.toRecord() });
  }

  /** News of a run. Its last word waits until the session is free for the next request. */
  private readonly emit = (event: TrainerEvent): void => {
    if (event.type === 'train') this.speed.heard(event.row);
    if (event.type === 'finished' || event.type === 'failed') this.lastWord = event;
    else this.publish(event);
  };

  private async plan(asked: TrainingConfig, auto: readonly PaceKey[] = []): Promise<RunPlan> {
    const model = this.model.require();
    const data = await this.dataset.encode(model, asked);
    requireSamples(data);
    const config = followLength(asked, auto, totalSteps(asked, data.train.length));
    await this.device();
    const plan = planRun(model.files.architecture, config, sampleSizes(await data.planned(), config, model.processor.sharesPrompts), this.speed.now, await validationSizes(data, config, model.processor.sharesPrompts));
    return { ...plan, warnings: [...plan.warnings, ...thoughtNotices(model.processor, data, config)] };
  }

  private async start({ runId, name, config: asked, auto = [], adapter }: Extract<Request, { type: 'start' }>): Promise<{ runId: string }> {
    this.requireIdle();
    const release = await lockRun(runId);
    try {
      const engine = await this.device();
      const starting = adapter ? await this.openAdapter(adapter) : null;
      if (starting) checkFits(starting, asked);
      const parts = await this.ingredients(asked, auto);
      const { config } = parts;
      if (starting) await startFrom(parts.model, starting.adapter.tensors, config);
      const plan = await this.plan(config);
      const validator = await buildValidator(parts, []);
      const tried = await this.trial(parts, plan);
      const { source } = this.dataset;
      const model = this.model.require();
      const reference = await referToModel(model.source, model);
      const dataset = await keepDataset(source);
      const environment = environmentOf(engine, config);
      const writer = await RunWriter.create({
        id: runId,
        name,
        createdAt: new Date().toISOString(),
        config,
        logConfig: logConfig(config, { modelPath: model.name, outputDir: `outputs/${name}`, ...dataPaths(source, config) }),
        modelName: model.name,
        model: reference,
        dataset,
        environment,
        totalSteps: plan.totalSteps,
        deletedAt: null,
      });
      if (starting) await keepStart(parts, writer, starting.adapter.tensors);
      const run = await buildRun(parts, { writer, validator, emit: this.emit, progress: this.progress });
      if (starting) this.notice(writer, 0, 'info', say('startedFrom', { name: starting.name }));
      if (tried) this.notice(writer, 0, 'info', fits(tried));
      for (const saying of thoughtNotices(parts.processor, parts.dataset, config)) this.notice(writer, 0, 'info', saying);
      for (const warning of startWarnings(config, environment.mixed_precision, parts.dataset, dataset)) this.notice(writer, 0, 'warning', warning);
      await this.launch(runId, run, parts, release);
      return { runId };
    } catch (error) {
      await release();
      throw error;
    }
  }

  /**
   * Tells the page what came of the trial of the largest samples.
   * @returns the plan as measured; null where nothing was tried
   * @throws LorikeetError "out-of-memory"
   */
  private async trial(parts: RunIngredients, plan: RunPlan): Promise<RunPlan | null> {
    try {
      const found = await tryLargest(parts, plan, this.speed.now, this.progress('prepare', 'trial'));
      if (!found) return null;
      this.speed.tried(found.speed);
      this.publish({ type: 'tried', outcome: { fits: true, plan: found.plan } });
      return found.plan;
    } catch (error) {
      if (error instanceof DoesNotFit) this.publish({ type: 'tried', outcome: { fits: false, neededBytes: error.neededBytes, alternatives: error.alternatives } });
      throw error;
    }
  }

  private async resume(runId: string): Promise<{ runId: string; step: number }> {
    this.requireIdle();
    const release = await lockRun(runId);
    try {
      const writer = await RunWriter.open(runId);
      const { config, model, dataset, environment } = writer.run;
      await this.model.returnTo(model, config);
      await this.dataset.returnTo(dataset, this.model.require(), config);
      const { device, kernels } = await this.device();
      const lacking = kernels.use(environment.kernel_choices ?? {});
      const parts = await this.ingredients(config);
      const start = await readStart(parts, writer);
      if (start) await startFrom(parts.model, start, config);
      // What fitted there may not fit here; what is restored next takes the place of all that this leaves.
      if (device.adapter !== environment.adapter) await this.trial(parts, await this.plan(config));
      const validator = await buildValidator(parts, await writer.readAnswers());
      const run = await buildRun(parts, { writer, validator, emit: this.emit, progress: this.progress });
      const step = await run.restore();
      this.notice(writer, step, 'info', say('resumed', { step }));
      if (device.adapter !== environment.adapter) {
        this.notice(writer, step, 'warning', say('otherGpu', { from: environment.adapter, to: device.adapter }));
      }
      if (lacking.length > 0) this.notice(writer, step, 'warning', say('otherKernels', { count: lacking.length }));
      await this.launch(runId, run, parts, release);
      return { runId, step };
    } catch (error) {
      await release();
      throw error;
    }
  }

  private async ingredients(asked: TrainingConfig, auto: readonly PaceKey[] = []): Promise<RunIngredients> {
    const open = this.model.require();
    const data = await this.dataset.encode(open, asked);
    requireSamples(data);
    const config = followLength(asked, auto, totalSteps(asked, data.train.length));
    const loaded = await this.model.quantized(config);
    const attaching = { type: 'progress', task: 'prepare', stage: 'adapter', total: 1 } as const;
    this.publish({ ...attaching, done: 0 });
    const model = await loaded.attachAdapter(config);
    this.publish({ ...attaching, done: 1 });
    const { name: modelName, files, processor, encoder } = open;
    const scorer = buildRewards({ config, dataset: data });
    return { config, modelName, files, processor, encoder, dataset: data, model, scorer };
  }

  private async launch(id: string, run: TrainingRun, { scorer, config, dataset, files, processor }: RunIngredients, release: () => Promise<void>): Promise<void> {
    this.speed.runs(workOf(files.architecture, config, sampleSizes(await dataset.planned(), config, processor.sharesPrompts)));
    this.active = { id, run };
    this.lastWord = null;
    void run.run().then(async () => {
      scorer?.close();
      await release();
      this.active = null;
      this.tuning.release();
      const { lastWord } = this;
      // A run that failed because its GPU went away has been announced already.
      if (lastWord && !(this.lost && lastWord.type === 'failed')) this.publish(lastWord);
    });
  }

  private notice(writer: RunWriter, step: number, level: RunNotice['level'], saying: Saying): void {
    const notice: RunNotice = { step, level, ...saying, time: new Date().toISOString() };
    writer.notice(notice);
    this.publish({ type: 'notice', runId: writer.run.id, notice });
  }
}

function requireSamples(data: RunData): void {
  if (data.train.length > 0) return;
  const first = data.problems.find(({ level }) => level === 'error');
  throw new LorikeetError('dataset', `There is no usable training sample${first ? `: ${first.message}` : '.'}`, first?.advice ?? 'Choose another dataset.');
}

function dataPaths(source: DatasetSource, config: TrainingConfig): { trainData: string; validationData: string } {
  if (source.kind === 'demo') {
    const [trainData, validationData] = demoRecords(source.set, kindOf(config)).map((name) => `demo/${demoFolder(source.set)}/${name}`);
    return { trainData, validationData };
  }
  const records = (files: readonly PathFile[]) => files.map(({ path }) => path).filter((path) => /\.(jsonl?|csv|parquet|zip)$/i.test(path));
  return { trainData: records(source.train).join(', '), validationData: records(source.validation).join(', ') };
}

function fits({ memory, stepSeconds, totalSeconds }: RunPlan): Saying {
  const round = (value: number | null, unit: number) => Number(((value ?? 0) / unit).toPrecision(2));
  return say('largestFit', { gigabytes: round(memory.total, 1e9), stepSeconds: round(stepSeconds, 1), minutes: round(totalSeconds, 60) });
}

/** What becomes of answers without thoughts where the model's template writes some. */
function thoughtNotices({ thinking }: Processor, { train }: RunData, config: TrainingConfig): Saying[] {
  if (thinking === 'none' || kindOf(config) === 'prompts') return [];
  const thinks = (message: Message) => message.reasoning !== undefined || messageText(message).includes('</think>');
  return train.sources.some(({ conversation }) => conversation.some(thinks)) ? [] : [say('emptyThoughts')];
}

function startWarnings(config: TrainingConfig, inForce: 'no' | 'f16', data: RunData, dataset: DatasetReference): Saying[] {
  const warnings: Saying[] = [];
  if (data.rejected > 0) warnings.push(say('samplesLeftOut', { count: data.rejected }));
  if (config.mixed_precision !== inForce) warnings.push(say('noF16'));
  if (dataset.kind === 'files' && !dataset.kept) warnings.push(say('datasetNotKept'));
  return warnings;
}
