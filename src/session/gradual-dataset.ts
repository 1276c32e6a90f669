/**
 * Very many samples, encoded one by one when a run comes to them.
 *
 * Which sample stands where is decided by the files alone: all that was read counts, and in place of a sample that
 * encoding finds faulty the next usable one is trained on. So it does not matter when, or whether, the check in the
 * background has come to a sample before the run does. Tokens are let go again; sizes are kept.
 */
import type { Dataset, DatasetSample } from '../data/dataset.ts';
import { ProblemList } from '../data/problems.ts';
import { resting } from '../data/resting.ts';
import { LorikeetError } from '../protocol/errors.ts';
import { filesOf } from '../protocol/media.ts';
import type { DatasetProblem } from '../protocol/messages.ts';
import { messageText } from '../processing/conversation.ts';
import { fingerprintLines, sha256 } from '../storage/fingerprint.ts';
import type { SessionSample } from './encoded-dataset.ts';
import type { MeasuredSample, PlannedSample, RunData, SampleMeasures, SampleSet } from './run-data.ts';

/** Samples whose tokens are kept for the next steps. */
const KEPT = 64;
/** Samples from all over a set, and of its largest, that are measured before a run is planned. */
const SURVEYED = 128;
const LONGEST = 32;
const PER_HASH = 1000;
/** While a run is under way the check works a tenth of the time. */
const STRETCH_MS = 10;
const PAUSE_MS = 90;
/** How often the check looks whether others still want samples. */
const WAIT_MS = 5;

/** @throws LorikeetError about the sample; faults of our own are thrown too */
export type EncodeSample = (source: DatasetSample) => Promise<SessionSample>;

export class GradualDataset implements RunData {
  readonly train: GradualSet;
  readonly validation: GradualSet;
  onReplaced: RunData['onReplaced'] = null;
  private surveyed: Promise<void> | null = null;
  private stopped = false;
  private asked = 0;

  /** @param settings all that decides what the tokens are, for the fingerprint */
  constructor(
    private readonly dataset: Dataset,
    encode: EncodeSample,
    private readonly settings: string,
  ) {
    const set = (sources: readonly DatasetSample[]) => new GradualSet(sources, encode, (fault) => this.onReplaced?.(fault), (work) => this.first(work));
    this.train = set(dataset.train);
    this.validation = set(dataset.validation);
  }

  get rejected(): number {
    return this.dataset.rejected + this.train.faulty + this.validation.faulty;
  }

  get problems(): readonly DatasetProblem[] {
    return this.dataset.problems;
  }

  /** Encodes every sample once, with rests; ends early after `stop`. @param busy whether a run is under way */
  async check(onProgress: (done: number, total: number) => void, busy: () => boolean): Promise<void> {
    const total = this.train.length + this.validation.length;
    const rest = resting(STRETCH_MS, () => (busy() ? PAUSE_MS : 0));
    let done = 0;
    for (const set of [this.train, this.validation]) {
      for (let index = 0; index < set.length && !this.stopped; index++) {
        while (this.asked > 0 && !this.stopped) await new Promise((resume) => setTimeout(resume, WAIT_MS));
        await set.look(index);
        onProgress(++done, total);
        const due = rest();
        if (due) await due;
      }
    }
  }

  stop(): void {
    this.stopped = true;
  }

  /** Samples that can be used as far as is known, and what is wrong with the others. */
  measured(): { train: MeasuredSample[]; validation: MeasuredSample[]; problems: ProblemList } {
    const problems = new ProblemList();
    for (const set of [this.train, this.validation]) set.report(problems);
    return { train: this.train.measured(), validation: this.validation.measured(), problems };
  }

  async planned(): Promise<PlannedSample[]> {
    this.surveyed ??= this.first(() => this.survey());
    await this.surveyed;
    const known = this.train.known();
    if (known.length === 0) return [{ index: 0, sample: await this.train.at(0) }];
    const at = new Map(known.map((sample) => [sample.index, sample]));
    return this.train.sources.map((_, index) => at.get(index) ?? known[index % known.length]);
  }

  async plannedValidation(indices: readonly number[]): Promise<PlannedSample[]> {
    const largest = largestOf(this.validation.sources, indices);
    return this.first(async () => {
      for (const index of largest) await this.validation.look(index);
      return [...largest].flatMap((index) => {
        const sample = this.validation.measuredAt(index);
        return sample ? [{ index, sample }] : [];
      });
    });
  }

  fingerprint(): Promise<string> {
    return this.first(() => this.hash());
  }

  /** Work that somebody waits for: the check rests meanwhile. */
  private async first<T>(work: () => Promise<T>): Promise<T> {
    this.asked++;
    try {
      return await work();
    } finally {
      this.asked--;
    }
  }

  private async hash(): Promise<string> {
    const hashes: string[] = [await sha256(new TextEncoder().encode(this.settings))];
    const { sources } = this.train;
    for (let first = 0; first < sources.length; first += PER_HASH) {
      const lines = sources.slice(first, first + PER_HASH).map(({ conversation, rejected, media }) => JSON.stringify([conversation, rejected ?? null, media.map((medium) => [medium.kind, ...filesOf(medium).map(({ path, file }) => [path, file.size])])]));
      hashes.push(`${first} ${await sha256(new TextEncoder().encode(lines.join('\n')))}`);
    }
    return fingerprintLines(hashes);
  }

  /** Some from all over the set, and the largest. */
  private async survey(): Promise<void> {
    const { sources } = this.train;
    const step = Math.max(1, Math.floor(sources.length / SURVEYED));
    const all = [...sources.keys()];
    for (const index of new Set([...largestOf(sources, all), ...all.filter((index) => index % step === 0)])) await this.train.look(index);
  }
}

/** Those of the samples at `indices` whose text is longest, or whose pictures and clips are most. */
function largestOf(sources: readonly DatasetSample[], indices: readonly number[]): Set<number> {
  const sizes = new Map(indices.map((index) => {
    const { conversation, rejected } = sources[index];
    return [index, [...conversation, ...(rejected ? [rejected] : [])].reduce((sum, message) => sum + messageText(message).length, 0)];
  }));
  const most = (size: (index: number) => number) => [...indices].sort((a, b) => size(b) - size(a)).slice(0, LONGEST);
  return new Set([...most((i) => sources[i].media.length * 1e6 + sizes.get(i)!), ...most((i) => sizes.get(i)!)]);
}

class GradualSet implements SampleSet {
  faulty = 0;
  /** By index; absent where nobody has looked yet. */
  private readonly found: (MeasuredSample | LorikeetError | undefined)[];
  private readonly kept = new Map<number, Promise<SessionSample | LorikeetError>>();

  constructor(
    readonly sources: readonly DatasetSample[],
    private readonly encode: EncodeSample,
    private readonly onReplaced: (fault: LorikeetError) => void,
    /** Does what somebody waits for. */
    private readonly first: <T>(work: () => Promise<T>) => Promise<T>,
  ) {
    this.found = new Array<undefined>(sources.length).fill(undefined);
  }

  get length(): number {
    return this.sources.length;
  }

  /** @throws LorikeetError "dataset" when no sample can be used */
  at(index: number): Promise<SessionSample> {
    return this.first(() => this.usable(index));
  }

  private async usable(index: number): Promise<SessionSample> {
    let fault: LorikeetError | null = null;
    for (let passed = 0; passed < this.length; passed++) {
      const sample = await this.get((index + passed) % this.length);
      if (!(sample instanceof LorikeetError)) return sample;
      this.onReplaced(sample);
      fault ??= sample;
    }
    throw new LorikeetError('dataset', `No sample can be used: ${fault?.message ?? 'there are none'}`, fault?.advice ?? 'Choose another dataset.', fault?.place);
  }

  async own(index: number): Promise<SessionSample | null> {
    const sample = await this.first(() => this.get(index));
    return sample instanceof LorikeetError ? null : sample;
  }

  /** Finds out whether a sample can be used, and how large it is. */
  async look(index: number): Promise<void> {
    if (this.found[index] === undefined) await this.make(index);
  }

  /** Null while nobody has looked, and of a faulty one. */
  measuredAt(index: number): MeasuredSample | null {
    const found = this.found[index];
    return found === undefined || found instanceof LorikeetError ? null : found;
  }

  measured(): MeasuredSample[] {
    return this.known().map(({ sample }) => sample);
  }

  known(): PlannedSample[] {
    return this.found.flatMap((sample, index) => (sample === undefined || sample instanceof LorikeetError ? [] : [{ index, sample }]));
  }

  report(problems: ProblemList): void {
    this.found.forEach((found, index) => {
      if (found instanceof LorikeetError) problems.caught(found, this.sources[index].place);
    });
  }

  private get(index: number): Promise<SessionSample | LorikeetError> {
    const known = this.found[index];
    if (known instanceof LorikeetError) return Promise.resolve(known);
    const kept = this.kept.get(index) ?? this.make(index);
    this.kept.delete(index);
    this.kept.set(index, kept);
    for (const oldest of this.kept.keys()) {
      if (this.kept.size <= KEPT) break;
      this.kept.delete(oldest);
    }
    return kept;
  }

  private async make(index: number): Promise<SessionSample | LorikeetError> {
    try {
      const sample = await this.encode(this.sources[index]);
      this.found[index] ??= measure(sample);
      return sample;
    } catch (error) {
      if (!(error instanceof LorikeetError)) throw error;
      if (this.found[index] === undefined) this.faulty++;
      this.found[index] = error;
      return error;
    }
  }
}

function measure({ source, encoded, rejected, shared }: SessionSample): MeasuredSample {
  const sizes = ({ inputIds, visionRows, labelTokens, media }: SessionSample['encoded']): SampleMeasures => ({ inputIds: { length: inputIds.length }, visionRows: { length: visionRows.length }, labelTokens, media });
  return { source, encoded: sizes(encoded), ...(rejected && { rejected: sizes(rejected) }), ...(shared !== undefined && { shared }) };
}
