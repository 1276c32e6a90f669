/** How many bytes a stored run takes. */
import { read, readAll } from './database.ts';
import type { AnswerPreview, CompletionGroup } from '../protocol/messages.ts';
import type { LogEntry } from './records.ts';
import { keyOf, rangeOf } from './records.ts';
import { readRunHead } from './stored-records.ts';

/**
 * Files as they are, log rows and answers as their JSON is long: the browser's own overhead is not known.
 * @returns bytes; 0 when there is no such run
 */
export async function measureRun(runId: string): Promise<number> {
  const [head, rows, predictions, answers, completions, images] = await Promise.all([
    read(keyOf.head(runId)),
    readAll<LogEntry[]>(rangeOf.rows(runId)),
    readAll<string>(rangeOf.predictions(runId)),
    read<AnswerPreview[]>(keyOf.answers(runId)),
    readAll<CompletionGroup[]>(rangeOf.completions(runId)),
    readAll<Blob>(rangeOf.sampleImages(runId)),
  ]);
  const files = Object.values(readRunHead(head).head.directories).flatMap((directory) => directory.files);
  const pictures = [...images, ...(answers ?? []).flatMap(({ image }) => (image ? [image] : []))];
  const texts = [rows, predictions, answers ?? [], completions].filter((list) => list.length > 0).map((list) => JSON.stringify(list).length);
  return sum(files.map(({ size }) => size)) + sum(pictures.map(({ size }) => size)) + sum(texts);
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
