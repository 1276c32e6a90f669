/** A report for the terminal. What comes from files is made printable. */
import type { ErrorRecord } from '../../src/protocol/errors.ts';
import { printable } from '../../src/reports/text.ts';
import { describeError, describeProblem } from '../demo/page.ts';
import type { DatasetReport, Inspected, Report } from './report.ts';

const PURPOSES: Readonly<Record<DatasetReport['purpose'], string>> = {
  conversations: 'answers to learn (sft)',
  preference: 'preference pairs (dpo)',
  prompts: 'prompts to be answered (grpo, grpo-trl)',
};
/** Faults that are printed; the rest is counted. */
const MAX_PRINTED = 20;
const MAX_TEXT = 600;

const list = (names: readonly string[]) => (names.length === 0 ? 'none' : names.join(', '));
const count = (value: number) => value.toLocaleString('en');

export function formatInspected({ path, usable, report, faults }: Inspected): string {
  const head = `${path}: ${report ? report.kind : 'nothing that can be opened'}, ${usable ? 'can be used' : 'cannot be used'}`;
  const rows = report ? [['recognised', report.because], ...rowsOf(report)] : [];
  const width = Math.max(0, ...rows.map(([name]) => name.length));
  const facts = rows.map(([name, text]) => `  ${name.padEnd(width)}  ${text}`);
  const more = report?.kind === 'dataset' ? [...problemLines(report), ...sampleLines(report)] : [];
  return [head, ...facts, ...faults.map((fault: ErrorRecord) => `  error: ${describeError(fault)}`), ...more].map(printable).join('\n');
}

function rowsOf(report: Report): string[][] {
  switch (report.kind) {
    case 'dataset': {
      const { boxes, tokens } = report;
      return [
        ['read as', PURPOSES[report.purpose]],
        ...report.layouts.map(({ file, rows, columns, extra }) => ['layout', `${file}: ${count(rows)} rows with ${list(columns)}${extra.length > 0 ? `; not read: ${list(extra)}` : ''}`]),
        ['samples', `${count(report.train)} to train, ${count(report.validation)} to validate, ${count(report.leftOut)} left out`],
        ['media', `${count(report.images)} images, ${count(report.videos)} videos`],
        ['boxes', boxes.count === 0 ? 'none' : `${count(boxes.count)} in ${count(boxes.answers)} answers, from ${boxes.smallest} to ${boxes.largest}, read as ${boxes.unit}`],
        ...(tokens ? [['tokens', `${count(tokens.shortest)} to ${count(tokens.longest)} a sample, median ${count(tokens.median)}; in all ${count(tokens.label)} learnt, ${count(tokens.media)} of media`]] : []),
        ['notices', `${count(report.errors)} errors, ${count(report.warnings)} warnings`],
      ];
    }
    case 'model':
      return [
        ['family', report.modelType],
        ['parameters', `${count(report.parameters)} in ${count(report.bytes)} bytes${report.quantization ? `, ${report.quantization}` : ''}`],
        ['layers', `${report.layers} of the language model, ${report.visionLayers} of the vision tower, ${report.linearModules} linear`],
        ['vocabulary', count(report.vocabularySize)],
        ['boxes', report.boxUnit],
        ...report.notes.map((note) => ['note', note]),
      ];
    case 'adapter':
      return [
        ['base model', report.baseModel ?? 'not said'],
        ['shape', `r ${report.r}, lora_alpha ${report.loraAlpha}, ${count(report.parameters)} parameters in ${count(report.tensors)} tensors`],
        ['modules', report.modules === null ? 'not compared: no --model' : `${report.modules}, all of them in the model`],
      ];
    case 'settings':
      return [
        ['method', report.method],
        ['taken', list(report.taken)],
        ['left out', report.left.length > 0 ? list(report.left) : 'nothing'],
      ];
    case 'log':
      return report.runs.map(({ name, steps, lastStep, lastLoss, metrics }) => ['run', `${name}: ${count(steps)} rows to step ${lastStep ?? '?'}, last loss ${lastLoss ?? 'none'}; ${list(metrics)}`]);
  }
}

function problemLines({ problems, errors, warnings }: DatasetReport): string[] {
  const shown = problems.slice(0, MAX_PRINTED).map((problem) => `  ${describeProblem(problem)}`);
  const hidden = errors + warnings - shown.length;
  return hidden > 0 ? [...shown, `  … and ${count(hidden)} more`] : shown;
}

function sampleLines({ first }: DatasetReport): string[] {
  return first.flatMap(({ id, text }) => [`  sample ${id}`, ...(text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)} …` : text).split('\n').map((line) => `    ${line}`)]);
}
