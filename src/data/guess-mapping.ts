/** What columns that nobody knows probably mean: a proposal for somebody to look at. */
import type { ColumnMapping } from '../protocol/reading-choices.ts';
import { fileKind } from './paths.ts';

const QUESTION = /^(?:q|ask|user|human)$|question|prompt|instruction|query|input|problem|frage|pregunta|вопрос|问|提示|質問|질문/i;
const ANSWER = /^(?:a|gt|reply|assistant)$|answer|response|output|label|caption|text|solution|target|truth|antwort|respuesta|ответ|答|描述|回复|標|标注|답/i;
/** What is said ends as questions do. */
const ASKS = /[?？؟]\s*$/;
const BOX = /^\s*\[?\s*\[?\s*-?\d+(?:\.\d+)?(?:\s*,\s*-?\d+(?:\.\d+)?){3}\s*\]/;

/** @param rows the first few of the file */
export function guessMapping(columns: readonly string[], rows: readonly Readonly<Record<string, unknown>>[]): ColumnMapping {
  const values = (name: string) => rows.map((row) => row[name]).filter((value) => value !== null && value !== undefined && value !== '');
  const holds = (name: string, fits: (value: unknown) => boolean) => values(name).length > 0 && values(name).every(fits);
  const image = columns.find((name) => holds(name, (value) => typeof value === 'string' && fileKind(value) === 'image')) ?? null;
  const boxes = columns.find((name) => name !== image && holds(name, isBoxes)) ?? null;
  const texts = columns.filter((name) => name !== image && name !== boxes && holds(name, (value) => typeof value === 'string' || typeof value === 'number'));
  const named = texts.find((name) => QUESTION.test(name)) ?? texts.find((name) => holds(name, (value) => ASKS.test(String(value))));
  const answer = texts.find((name) => name !== named && ANSWER.test(name)) ?? texts.findLast((name) => name !== named && name !== texts[0]) ?? texts.find((name) => name !== named) ?? columns[0] ?? '';
  const prompt = named ?? (image === null ? (texts.find((name) => name !== answer) ?? null) : null);
  return { prompt, answer, image, boxes };
}

function isBoxes(value: unknown): boolean {
  return BOX.test(typeof value === 'string' ? (value.trim().startsWith('[') ? value : '') : JSON.stringify(value));
}
