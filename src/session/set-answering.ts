/** Has a whole set answered by several candidates, sample after sample, so that what is there at any time is the same for all. */
import type { DatasetSample } from '../data/dataset.ts';
import { ProblemList } from '../data/problems.ts';
import { messageText, promptOf, answerOf } from '../processing/conversation.ts';
import type { EncodedSample } from '../processing/types.ts';
import { boxUnitOf } from '../protocol/config.ts';
import { LorikeetError } from '../protocol/errors.ts';
import type { AnsweredSample, EvaluatedSet, EvaluateRequest, SetAnswer } from '../protocol/evaluation-messages.ts';
import type { TrainerEvent } from '../protocol/messages.ts';
import type { GeneratedAnswer } from '../generation/options.ts';
import type { Candidates } from '../training/side-by-side.ts';
import { AnswerTimes } from './answer-times.ts';
import { drawnBoxes, scoredPrompt } from './answers.ts';
import { Pausing } from './pausing.ts';
import { plainPoster } from './plain-media.ts';
import type { OpenModel, SessionModel } from './session-model.ts';
import type { StartingAdapter } from './starting-adapter.ts';
import { tokenEnds } from './token-ends.ts';

/** A sample with its prompt made ready. */
interface Question {
  index: number;
  source: DatasetSample;
  encoded: EncodedSample;
}

export class SetAnswering {
  private current: Pausing | null = null;

  constructor(
    private readonly model: SessionModel,
    private readonly publish: (event: TrainerEvent) => void,
  ) {}

  /** Ends the answering that is under way, if any. */
  stop(): void {
    this.current?.stop();
  }

  pause(paused: boolean): void {
    this.current?.pause(paused);
  }

  /**
   * Answers the samples; publishes them batch by batch.
   * @param samples of the split
   * @param adapters by candidate; null = the base model alone
   * @throws LorikeetError "config" without samples or candidates, "adapter", "out-of-memory"
   */
  async run(request: EvaluateRequest, samples: readonly DatasetSample[], adapters: readonly (StartingAdapter | null)[]): Promise<EvaluatedSet> {
    const { config, turn } = request;
    const chosen = request.limit > 0 ? samples.slice(0, request.limit) : samples;
    if (chosen.length === 0) throw new LorikeetError('config', `There is no sample in the ${request.split} split.`, 'Choose the other split, or another dataset.', { field: 'split' });
    if (adapters.length === 0) throw new LorikeetError('config', 'Nobody is to answer.', 'Choose the base model or an adapter.', { field: 'candidates' });
    const pausing = new Pausing();
    this.current = pausing;
    const started = performance.now();
    const problems = new ProblemList();
    let candidates: Candidates | null = null;
    let done = 0;
    let answered = 0;
    const tell = (fresh: AnsweredSample[]) => {
      const worked = performance.now() - started - pausing.heldFor;
      const secondsLeft = done === 0 || pausing.paused ? null : ((worked / done) * (chosen.length - done)) / 1000;
      this.publish({ type: 'evaluating', turn, done, total: chosen.length, secondsLeft, paused: pausing.paused, samples: fresh });
    };
    pausing.onChange = () => tell([]);
    try {
      const open = this.model.require();
      candidates = await (await this.model.quantized(config)).candidates(adapters.map((adapter) => adapter?.adapter ?? null), config);
      tell([]);
      while (done < chosen.length && (await pausing.goOn())) {
        const batch = await readBatch(open, request, chosen, done, candidates, problems);
        const fresh = batch.questions.length === 0 ? [] : await answerBatch(open, request, batch.questions, candidates, pausing);
        if (pausing.stopped) break;
        done = batch.end;
        answered += fresh.length;
        tell(fresh);
      }
      return {
        names: adapters.map((adapter) => adapter?.name ?? null),
        answered,
        total: chosen.length,
        stopped: pausing.stopped,
        sharedVision: [...candidates.sharedVision],
        refused: problems.errorCount,
        problems: problems.listed,
        milliseconds: performance.now() - started - pausing.heldFor,
      };
    } finally {
      candidates?.dispose();
      this.current = null;
    }
  }
}

/** The next samples that are answered together; those that cannot be asked are named and passed over. */
async function readBatch({ encoder }: OpenModel, { config, maxNewTokens }: EvaluateRequest, samples: readonly DatasetSample[], start: number, candidates: Candidates, problems: ProblemList): Promise<{ questions: Question[]; end: number }> {
  const questions: Question[] = [];
  let end = start;
  for (let longest = 0; end < samples.length; end++) {
    const source = samples[end];
    let encoded: EncodedSample;
    try {
      encoded = await encoder.encodePrompt({ source }, config);
      // A picture that cannot be read must not take the batch with it.
      for (let i = 0; i < encoded.media.length; i++) await encoded.pixels(i);
    } catch (error) {
      if (!(error instanceof LorikeetError)) throw error;
      problems.caught(error, source.place);
      continue;
    }
    longest = Math.max(longest, encoded.inputIds.length);
    if (questions.length >= Math.min(config.eval_batch_size, candidates.promptsAtOnce(longest, maxNewTokens))) break;
    questions.push({ index: end, source, encoded });
  }
  return { questions, end };
}

async function answerBatch(open: OpenModel, { config, maxNewTokens }: EvaluateRequest, questions: readonly Question[], candidates: Candidates, pausing: Pausing): Promise<AnsweredSample[]> {
  const { processor } = open;
  const packed = await processor.pack(questions.map(({ encoded }) => encoded));
  const times = new AnswerTimes(candidates.sharedVision, questions.length, () => performance.now() - pausing.heldFor);
  const byCandidate = await candidates.answer(packed, questions.map(({ encoded }) => encoded.ropeDelta), {
    maxNewTokens,
    stopIds: processor.stopIds,
    onLook: (when) => times.look(when),
    onTokens: (fresh, candidate) => {
      times.hear(fresh, candidate);
      return pausing.goOn();
    },
  });
  if (pausing.stopped) return [];
  const unit = boxUnitOf(config);
  const answered = questions.map(async ({ index, source, encoded }, i): Promise<AnsweredSample> => {
    const scored = scoredPrompt(source, encoded.media, processor.preprocessor.patchSize);
    const finished = (answer: GeneratedAnswer, time: number): SetAnswer => {
      const text = processor.decode(answer.ids);
      return {
        text,
        boxes: drawnBoxes(text, unit, scored),
        tokens: answer.ids.length,
        seconds: time,
        ended: answer.stopId === null ? 'length' : 'stop',
        certainty: { ends: tokenEnds(answer.ids, text, (ids) => processor.decode(ids)), probabilities: answer.probabilities ?? [] },
      };
    };
    const question = promptOf(source.conversation).findLast(({ role }) => role === 'user');
    return {
      index,
      id: source.id,
      prompt: question ? messageText(question).trim() : '',
      truth: answerOf(source.conversation),
      truthBoxes: drawnBoxes(scored.truth, unit, scored),
      pixelsOf: unit === 'pixels' ? (scored.imageSize ?? null) : null,
      image: await plainPoster(source.media),
      answers: byCandidate.map((answers, candidate) => finished(answers[i], times.seconds[candidate][i])),
    };
  });
  return Promise.all(answered);
}
