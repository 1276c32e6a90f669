/** Training logs of every dialect, through to tables, curves and the HTML report. */
import { openLogs } from '../../../src/imports/open-logs.ts';
import { packRun } from '../../../src/reports/packed-run.ts';
import { readLog } from '../../../src/reports/read-log.ts';
import { reportFiles } from '../../../src/reports/report-files.ts';
import { blobOf, decode, encode, textOf } from '../examples.ts';
import { mutateBytes } from '../mutate/bytes.ts';
import { sentence, type Rules } from '../mutate/grammar.ts';
import { mutateJson } from '../mutate/json.ts';
import { NASTY_STRINGS } from '../mutate/nasty.ts';
import { mutateText } from '../mutate/text.ts';
import type { Random } from '../../../tools/random.ts';
import type { FuzzReader, Outcome } from '../reader.ts';
import { markupFault } from './markup.ts';

const PATHS = [
  'lorikeet/training_log.json', 'original-sft/training_log.json', 'original-dpo/training_log.json', 'original-grpo/training_log.json', 'original-grpo-trl/training_log.json', 'synthetic-grpo/training_log.json',
  'hf/checkpoint-300/trainer_state.json', 'llama-factory/trainer_log.jsonl', 'ms-swift/logging.jsonl', 'wandb-chart.csv', 'wandb-history.csv', 'trackio.csv', 'hostile.json', 'not-finite.json', 'truncated.json',
];
/** Longer examples are cut to a beginning: what is read of row 1,000 is read of row 10. */
const MAX_LENGTH = 12_000;
const WORDS = [...NASTY_STRINGS, '{"step":1,"loss":2}', ',', ':', '[', ']', '{', '}', '\n"', 'Step,x - loss\n1,2', '""', '"a""b"'];

const RULES: Rules = {
  log: ['{"train_history": [{rows}], "val_history": [{rows}], "config": {config}}', '{"log_history": [{rows}], "global_step": {number}}', '{lines}', '{table}', '[{rows}]', '{"train_history": {value}, "notices": {value}}'],
  rows: ['{row}', '{row}, {rows}', ''],
  row: ['{"step": {number}, "loss": {number}}', '{"step": {number}, {name}: {number}, "epoch": {number}}', '{"eval_loss": {number}, "step": {number}}', '{value}'],
  config: ['{}', '{"learning_rate": {number}, {name}: {value}}', '{value}'],
  lines: ['{row}\n{row}\n', '{row}\n', '{"current_steps": {number}, "loss": {number}, "percentage": {number}}\n{row}\n{lines}', '{"loss": {number}, "global_step/max_steps": "{int}/9"}\n{lines}'],
  table: ['step,loss\n{cells}', 'Step,{word} - loss,{word} - loss__MIN\n{cells}', '"step","{word}"\n{cells}', 'global_step,run,loss\n{cells}'],
  cells: ['{int},{int}\n', '{int},{word},{int}\n{cells}', '{int},"{word}"\n{cells}'],
  number: ['1', '0', '-1', '1e999', 'null', '"3"', 'NaN', 'Infinity', '0.5', '1e-320', '9007199254740993', '{value}'],
  int: ['1', '2', '1.5', '', '-1', '1e400', 'NaN'],
  name: ['"loss"', '"a/b"', '"__proto__"', '"constructor"', '"="', '"<b>"', '"rewards/x"'],
  word: ['a', '=1', 'x y', '../b', '__proto__', '<b>'],
  value: ['1', 'null', '"x"', '[]', '{}', '[[1]]', 'true', '{"a": {"b": null}}'],
};

function inputOf(random: Random, { name, text }: { name: string; text: string }): string {
  switch (random.below(5)) {
    case 0:
      return decode(mutateBytes(random, encode(text)));
    case 1:
      return mutateText(random, text, WORDS);
    case 2:
      return sentence(random, RULES, 'log');
    default:
      return name.endsWith('.json') && isJson(text) ? mutateJson(random, JSON.parse(text)) : mutateText(random, text, WORDS);
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Paths that stay inside, markup without scripts, tables without formulas. */
function fileFault(path: string, text: string): Outcome | null {
  if (/\.\.|^\/|[\\\0]/.test(path)) return `wrong: file name ${path}`;
  if (/\.(?:html|svg)$/.test(path)) {
    const fault = markupFault(text);
    if (fault) return `wrong: ${path} holds ${fault}`;
  }
  if (path.endsWith('.csv') && text.split('\n').some((line) => /(?:^|,)[=+@]/.test(line.replaceAll(/"[^"]*"/g, (cell) => (/^"[=+@]/.test(cell) ? '=' : '""'))))) return `wrong: a formula in ${path}`;
  return null;
}

export const logReader: FuzzReader = {
  name: 'logs',
  share: 1,
  prepare: async () => {
    const examples = PATHS.map((path) => ({ name: path.split('/').at(-1)!, text: short(textOf(`tests/fixtures/logs/${path}`)) }));
    return async (random) => {
      const example = random.pick(examples);
      const text = inputOf(random, example);
      const name = random.chance(0.2) ? `${random.pick(NASTY_STRINGS).slice(0, 80)}.json` : example.name;
      const news: string[] = [];
      await openLogs([{ path: name, file: blobOf(text) }], name, { run: ({ run }) => news.push(run.name), fault: ({ code }) => news.push(code) });
      if (news.length === 0) return 'wrong: opened without a run or a word';
      if (news.includes('internal')) throw new Error('a log was opened with an internal error');
      const runs = readLog(text, name);
      for (const run of runs) {
        packRun(run);
        for (const row of [...run.train, ...run.validation]) if (Object.values(row).some((value) => typeof value === 'number' && !Number.isFinite(value))) return 'wrong: a row that is not finite';
      }
      if (random.chance(0.2)) {
        const named = runs.map((run, i) => ({ ...run, name: `${run.name}${i || ''}` }));
        for (const file of reportFiles(named, { generated: new Date(0), plots: true, allSettings: true, language: random.pick(['en', 'zh']) })) {
          const fault = fileFault(file.path, file.text);
          if (fault) return fault;
        }
      }
      return runs.some(({ notes }) => notes.length > 0) ? 'told' : 'read';
    };
  },
};

/** A log of the same format with its first rows. */
function short(text: string): string {
  if (text.length <= MAX_LENGTH) return text;
  if (!isJson(text)) return text.slice(0, text.lastIndexOf('\n', MAX_LENGTH));
  const fields = JSON.parse(text) as Record<string, unknown>;
  return JSON.stringify(Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, Array.isArray(value) ? value.slice(0, 12) : value])));
}
