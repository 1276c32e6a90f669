/** The worker's side of a run's storage: rows are queued and written behind the training's back, directories are switched whole. */
import { LorikeetError, invariant } from '../protocol/errors.ts';
import type { BestCheckpoint, RunNotice, TrainingLog } from '../protocol/log.ts';
import type { AnswerPreview, CompletionGroup, RunStatus } from '../protocol/messages.ts';
import type { RecordKey } from './database.ts';
import { commit, read, readEntries, readKeys, storageError } from './database.ts';
import { sha256 } from './fingerprint.ts';
import type { DirectoryRecord, LogEntry, RunHead, RunRecord, StoredFile } from './records.ts';
import { buildLog, isCheckpoint, keyOf, rangeOf } from './records.ts';
import { gapNotice, readLogRecords, readRunHead, readRunRecord } from './stored-records.ts';

/** What changes while a run goes on. */
export interface RunProgress {
  status?: RunStatus;
  step?: number;
  lastLoss?: number | null;
  finalMetrics?: TrainingLog['final_metrics'];
}

/** What must become visible together with a directory, or not at all. */
export interface DirectoryCompanions {
  entries?: readonly LogEntry[];
  best?: BestCheckpoint;
}

const now = () => new Date().toISOString();

/** Writes one run. The caller holds the run's lock. */
export class RunWriter {
  private readonly entries: LogEntry[];
  private queue: LogEntry[] = [];
  private headChanged = false;
  private drain: Promise<void> | null = null;
  private chain: Promise<unknown> = Promise.resolve();
  private fault: LorikeetError | null = null;
  private tokens = 0;
  private readonly keptImages = new Set<number>();

  private constructor(
    readonly run: RunRecord,
    private readonly head: RunHead,
    entries: readonly LogEntry[],
    private first: number,
    private sequence: number,
  ) {
    this.entries = [...entries];
  }

  /**
   * Stores a new run.
   * @throws LorikeetError "config" when there is a run of that id; "storage-full", "storage-failed"
   */
  static async create(run: RunRecord): Promise<RunWriter> {
    if (await read(keyOf.run(run.id))) throw new LorikeetError('config', `There is a run ${run.id} already.`, 'Reload the page and start again.');
    const head: RunHead = { status: 'preparing', step: 0, updatedAt: now(), lastLoss: null, best: null, finalMetrics: {}, directories: {} };
    await commit({ put: [[keyOf.run(run.id), run], [keyOf.head(run.id), head]] });
    return new RunWriter(run, head, [], 0, 0);
  }

  /**
   * Opens a stored run to go on with it: drops rows after `step` of the state it goes on from and sweeps away half-written directories.
   * @throws LorikeetError "resume" when there is no such run
   */
  static async open(runId: string): Promise<RunWriter> {
    const [storedRun, storedHead] = await Promise.all([read(keyOf.run(runId)), read(keyOf.head(runId))]);
    if (!storedRun || !storedHead) throw new LorikeetError('resume', `There is no stored run ${runId}.`, 'It may have been deleted, or belongs to another browser.');
    const { run, whole } = readRunRecord(runId, storedRun);
    const { head, whole: headWhole } = readRunHead(storedHead);
    if (!whole || !headWhole) throw new LorikeetError('resume', `The stored record of the run ${runId} is damaged.`, 'Its log and adapters can still be downloaded; "Check the library" repairs what can be repaired.');
    const [records, fileKeys] = await Promise.all([readEntries(rangeOf.rows(runId)), readKeys(rangeOf.files(runId))]);
    const live = new Set(Object.values(head.directories).map((directory) => directory.token));
    const orphans = new Set(fileKeys.map((key) => String(key[2])).filter((token) => !live.has(token)));
    if (orphans.size > 0) await commit({ remove: [...orphans].map((token) => rangeOf.directory(runId, token)) });
    const { entries, gaps } = readLogRecords(records, head.log);
    const last = records.at(-1);
    const sequence = Math.max(head.log?.next ?? 0, last ? Number(last[0][2]) + 1 : 0);
    const writer = new RunWriter(run, head, entries, head.log?.first ?? Number(records[0]?.[0][2] ?? 0), sequence);
    // Packed anew, so that what is missing is said once and never found again.
    if (gaps.length > 0) await writer.repack([...entries, ...gaps.map((gap): LogEntry => ({ kind: 'notice', row: gapNotice(gap, now()) }))]);
    return writer;
  }

  /** The log as far as it goes, including rows that are still on their way to the disk. */
  log(): TrainingLog {
    return buildLog(this.run, this.head, this.entries);
  }

  get best(): BestCheckpoint | null {
    return this.head.best;
  }

  /** The last failure of writing in the background; cleared by a flush that works. */
  get failure(): LorikeetError | null {
    return this.fault;
  }

  /** Complete directories by name. */
  get directories(): Readonly<Record<string, DirectoryRecord>> {
    return this.head.directories;
  }

  /** Queues rows and progress; returns at once. Failures show in `failure` and in `flush`, and lose nothing. */
  append(entries: readonly LogEntry[], progress: RunProgress = {}): void {
    for (const entry of entries) {
      this.entries.push(entry);
      this.queue.push(entry);
    }
    Object.assign(this.head, progress);
    this.headChanged = true;
    if (!this.fault) this.startDrain();
  }

  /** Adds a notice to the log. */
  notice(notice: RunNotice): void {
    this.append([{ kind: 'notice', row: notice }]);
  }

  /**
   * Waits until everything queued is on disk; tries again what failed before.
   * @throws LorikeetError "storage-full", "storage-failed"
   */
  async flush(): Promise<void> {
    this.fault = null;
    this.startDrain();
    while (this.drain) await this.drain;
    if (this.fault) throw this.fault;
  }

  /**
   * Forgets train and validation rows after a step, because they will be computed again, and packs the rest into few records.
   * Either all of it happens or nothing; states that lie behind the step lead nowhere any more, and are marked.
   * @throws LorikeetError "storage-full", "storage-failed"
   */
  async truncateLog(step: number): Promise<void> {
    await this.flush();
    const kept = this.entries.filter((entry) => entry.kind === 'notice' || entry.row.step <= step);
    const { id } = this.run;
    const numbered = await Promise.all([readKeys(rangeOf.predictions(id)), readKeys(rangeOf.completions(id))]);
    await this.repack(kept, { remove: numbered.flat().filter((key) => Number(key[2]) > step), passOverAfter: step });
  }

  /** Packs the log's many small records into few large ones, for quick reading. */
  async compact(): Promise<void> {
    await this.flush();
    await this.repack([...this.entries]);
  }

  /**
   * Replaces a directory: the files go to a place of their own, then one transaction makes them the directory and removes
   * what was there before. A crash, or a full disk, at any moment leaves the old directory whole.
   * @throws LorikeetError "storage-full", "storage-failed"
   */
  async writeDirectory(name: string, step: number, files: ReadonlyMap<string, Uint8Array>, companions: DirectoryCompanions = {}): Promise<void> {
    await this.flush();
    await this.serially(async () => {
      const { id } = this.run;
      const token = `${Date.now().toString(36)}-${this.tokens++}-${step}`;
      const stored: StoredFile[] = [];
      try {
        for (const [path, bytes] of files) {
          await commit({ put: [[keyOf.file(id, token, path), new Blob([bytes as Uint8Array<ArrayBuffer>])]] });
          stored.push({ path, size: bytes.byteLength, sha256: await sha256(bytes) });
        }
        const directories = { ...this.head.directories, [name]: { token, step, savedAt: now(), files: stored } };
        const previous = Object.hasOwn(this.head.directories, name) ? this.head.directories[name] : null;
        const best = companions.best ?? this.head.best;
        const entries = companions.entries ?? [];
        const put: [RecordKey, unknown][] = [[keyOf.head(id), { ...this.head, directories, best, updatedAt: now(), log: this.extent(entries.length > 0 ? 1 : 0) }]];
        if (entries.length > 0) put.push([keyOf.rows(id, this.sequence), entries]);
        await commit({ put, remove: previous ? [rangeOf.directory(id, previous.token)] : [] });
        this.head.directories = directories;
        this.head.best = best;
        if (entries.length > 0) this.sequence++;
        for (const entry of entries) this.entries.push(entry);
      } catch (error) {
        await commit({ remove: [rangeOf.directory(id, token)] }).catch(() => undefined);
        throw storageError(error);
      }
    });
  }

  /** Removes a directory, if there is one. */
  async removeDirectory(name: string): Promise<void> {
    await this.serially(async () => {
      const { [name]: gone, ...directories } = this.head.directories;
      if (!gone) return;
      await commit({ put: [[keyOf.head(this.run.id), { ...this.head, directories }]], remove: [rangeOf.directory(this.run.id, gone.token)] });
      this.head.directories = directories;
    });
  }

  /**
   * Reads a directory and compares every file with the checksum noted when it was written.
   * @throws LorikeetError "file-missing" or "file-corrupt" naming the file
   */
  async readDirectory(name: string): Promise<Map<string, Uint8Array>> {
    invariant(Object.hasOwn(this.head.directories, name), `directory ${name} is not listed`);
    const { token, files } = this.head.directories[name];
    const result = new Map<string, Uint8Array>();
    for (const file of files) {
      const blob = await read<Blob>(keyOf.file(this.run.id, token, file.path));
      const place = { file: `${name}/${file.path}` };
      if (!blob) throw new LorikeetError('file-missing', `${place.file} is missing from the browser's storage.`, '', place);
      const bytes = new Uint8Array(await blob.arrayBuffer());
      if (bytes.byteLength !== file.size || (await sha256(bytes)) !== file.sha256) {
        throw new LorikeetError('file-corrupt', `${place.file} is not what was written: its checksum differs.`, '', place);
      }
      result.set(file.path, bytes);
    }
    return result;
  }

  /** Stores one validation's answers: the latest as previews for the page, all of them as lines of val_predictions.jsonl. */
  async writeAnswers(step: number, answers: readonly AnswerPreview[], predictions: string): Promise<void> {
    const { id } = this.run;
    await this.serially(() => commit({ put: [[keyOf.answers(id), answers], [keyOf.predictions(id, step), predictions]] }));
  }

  /** Stores the answers sampled at a logged step. */
  async writeCompletions(step: number, groups: readonly CompletionGroup[]): Promise<void> {
    await this.serially(() => commit({ put: [[keyOf.completions(this.run.id, step), groups]] }));
  }

  /** Keeps the image of a training sample, once, for the page's view of completions. */
  async keepSampleImage(sample: number, image: Blob): Promise<void> {
    if (this.keptImages.has(sample)) return;
    await this.serially(() => commit({ put: [[keyOf.sampleImage(this.run.id, sample), image]] }));
    this.keptImages.add(sample);
  }

  /** Answers of the last validation, or none. */
  async readAnswers(): Promise<AnswerPreview[]> {
    return (await read<AnswerPreview[]>(keyOf.answers(this.run.id))) ?? [];
  }

  private async repack(entries: LogEntry[], { remove = [], passOverAfter = Infinity }: { remove?: readonly RecordKey[]; passOverAfter?: number } = {}): Promise<void> {
    await this.serially(async () => {
      const { id } = this.run;
      const log = { first: this.sequence, next: this.sequence + (entries.length > 0 ? 1 : 0) };
      const directories = Object.fromEntries(Object.entries(this.head.directories).map(([name, directory]) => [name, isCheckpoint(name) && directory.step > passOverAfter ? { ...directory, passedOver: true as const } : directory]));
      const put: [RecordKey, unknown][] = [[keyOf.head(id), { ...this.head, directories, log }]];
      if (entries.length > 0) put.push([keyOf.rows(id, this.sequence), entries]);
      await commit({ put, remove: [...remove, ...(this.sequence > 0 ? [IDBKeyRange.bound(keyOf.rows(id, 0), keyOf.rows(id, this.sequence - 1))] : [])] });
      this.head.directories = directories;
      this.first = log.first;
      this.sequence = log.next;
      // Assigned one by one: a call takes no hundred thousand arguments.
      this.entries.length = 0;
      for (const entry of entries) this.entries.push(entry);
    });
  }

  /** Numbers of the log's records when so many more are written. */
  private extent(more: number): { first: number; next: number } {
    return { first: this.first, next: this.sequence + more };
  }

  private startDrain(): void {
    this.drain ??= this.serially(() => this.drainQueue())
      .catch((error: unknown) => {
        this.fault = storageError(error);
      })
      .finally(() => {
        this.drain = null;
        if (!this.fault && (this.queue.length > 0 || this.headChanged)) this.startDrain();
      });
  }

  private async drainQueue(): Promise<void> {
    while (this.queue.length > 0 || this.headChanged) {
      const batch = this.queue;
      this.queue = [];
      this.headChanged = false;
      this.head.updatedAt = now();
      const put: [RecordKey, unknown][] = [[keyOf.head(this.run.id), { ...this.head, log: this.extent(batch.length > 0 ? 1 : 0) }]];
      if (batch.length > 0) put.push([keyOf.rows(this.run.id, this.sequence), batch]);
      try {
        await commit({ put });
      } catch (error) {
        this.queue = [...batch, ...this.queue];
        this.headChanged = true;
        throw error;
      }
      if (batch.length > 0) this.sequence++;
    }
  }

  /** One write after the other: each sees the head that the one before left. */
  private serially<T>(task: () => Promise<T>): Promise<T> {
    const result = this.chain.then(task);
    this.chain = result.catch(() => undefined);
    return result;
  }
}
