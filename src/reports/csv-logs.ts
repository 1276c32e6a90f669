/** CSV exports of Weights & Biases (a chart or a run's history) and of trackio, and any table with a step column. */
import { LorikeetError } from '../protocol/errors.ts';
import { readCsv } from './csv-reader.ts';
import type { CsvTable } from './csv-reader.ts';
import { HistoryReader, linePlace } from './history-reader.ts';
import { note, said } from './notes.ts';
import { bareObject, MAX_LOG_METRICS, MAX_LOG_ROWS } from './run-log.ts';
import type { LogDialect, LogNote, LogRow, RunLog } from './run-log.ts';

/** Step columns, the first that is there wins: a trainer's own count before the logger's. */
const STEP_COLUMNS = ['train/global_step', 'global_step', 'step', 'Step', '_step', 'trainer/global_step'];
const RUN_COLUMNS = ['run', 'run_name', 'Run', 'run_id'];
/** Columns of the logger about itself, and how they are called here. */
const RENAMED: Readonly<Record<string, string>> = { _runtime: 'elapsed_s', _timestamp: 'time', timestamp: 'time', 'train/epoch': 'epoch' };
const LEFT_OUT = new Set(['_step', '_wandb', 'Step']);

const VALIDATION_NAME = /^(?:eval|val|valid|validation)[_/]/;

interface Column {
  index: number;
  metric: string;
}

/** Text whose first line is a header with commas. */
export function looksLikeCsv(text: string): boolean {
  const end = text.indexOf('\n');
  const header = text.slice(0, end === -1 ? Math.min(text.length, 100_000) : Math.min(end, 100_000));
  return /^[^{[\0]+,[^\0]+$/.test(header.trim());
}

/**
 * Reads a CSV export; a W&B chart or a table with a run column holds several runs.
 * @throws LorikeetError "file-corrupt" without a step column, "file-too-large" beyond the limits
 */
export function readCsvLogs(text: string, source: string): RunLog[] {
  const table = readCsv(text, MAX_LOG_ROWS);
  if (table.header.length > 3 * MAX_LOG_METRICS) {
    throw new LorikeetError('file-too-large', `${source} has ${table.header.length} columns; at most ${3 * MAX_LOG_METRICS} are read.`, 'Export fewer metrics or runs.', { file: source });
  }
  const step = STEP_COLUMNS.map((name) => table.header.indexOf(name)).find((index) => index !== -1);
  if (step === undefined) {
    throw new LorikeetError('file-corrupt', `${source} has no step column: expected one of ${STEP_COLUMNS.join(', ')}.`, 'Export the chart with "Step" on its x axis.', { file: source, line: 1 });
  }
  const notes: LogNote[] = [];
  if (table.openQuote !== null) notes.push(note('warning', said('openQuote', { line: table.openQuote }), { line: table.openQuote }));
  const repeated = table.header.filter((name, i) => table.header.indexOf(name) !== i);
  if (repeated.length > 0) notes.push(note('warning', said('columnTwice', { name: repeated[0] }), { line: 1 }));

  if (isTensorBoard(table.header)) return [{ ...tensorBoardRun(table, source), notes }];
  const panel = table.header.filter((name) => name.includes(' - ')).length > 0 && table.header[step] !== 'step';
  const runs = panel ? panelRuns(table, step, notes, source) : tableRuns(table, step, source);
  return runs.map((run) => ({ ...run, notes: [...notes, ...run.notes] }));
}

/** What TensorBoard downloads of one curve. */
function isTensorBoard(header: readonly string[]): boolean {
  return header.join() === 'Wall time,Step,Value';
}

/** The curve's name stands in the file's only: "run-.-tag-train_loss.csv", slashes written as underscores. */
function tensorBoardRun(table: CsvTable, source: string): RunLog {
  const tag = /(?:^|-tag-)([^/]*?)(?:\.csv)?$/i.exec(source.slice(source.lastIndexOf('/') + 1).replace(/^.*-tag-/, ''))![1];
  const metric = tag.replace(/^train_(?=.)/, '') || 'value';
  return build(table.rows, table.header.indexOf('Step'), [{ index: table.header.indexOf('Value'), metric }], source, 'csv');
}

/** A chart of W&B: one column per run and metric, "RUN - METRIC", with __MIN and __MAX beside it. */
function panelRuns(table: CsvTable, step: number, notes: LogNote[], source: string): RunLog[] {
  const runs = new Map<string, Column[]>();
  let ranges = 0;
  table.header.forEach((name, index) => {
    const cut = name.lastIndexOf(' - ');
    if (index === step || cut === -1) return;
    const metric = name.slice(cut + 3);
    if (/__(?:MIN|MAX)$/.test(metric)) ranges += 1;
    else if (metric !== '_step') runs.set(name.slice(0, cut), [...(runs.get(name.slice(0, cut)) ?? []), { index, metric }]);
  });
  if (ranges > 0) notes.push(note('info', said('rangesLeftOut', { columns: ranges })));
  return [...runs].map(([name, columns]) => ({ ...build(table.rows, step, columns, source, 'wandb-csv'), name }));
}

function tableRuns(table: CsvTable, step: number, source: string): RunLog[] {
  const run = table.header.findIndex((name) => RUN_COLUMNS.includes(name));
  const columns = table.header
    .map((name, index) => ({ index, metric: Object.hasOwn(RENAMED, name) ? RENAMED[name] : name, name }))
    .filter(({ index, name }) => index !== step && index !== run && !LEFT_OUT.has(name) && name.trim() !== '');
  const names = new Set(table.header);
  const dialect: LogDialect = names.has('_step') || names.has('_runtime') ? 'wandb-csv' : names.has('timestamp') ? 'trackio-csv' : 'csv';
  if (run === -1) return [build(table.rows, step, columns, source, dialect)];
  const groups = new Map<string, CsvTable['rows']>();
  for (const row of table.rows) {
    const name = row.cells[run] ?? '';
    const group = groups.get(name);
    if (group) group.push(row);
    else groups.set(name, [row]);
  }
  return [...groups].map(([name, rows]) => ({ ...build(rows, step, columns, source, dialect), name: name || source }));
}

function build(records: CsvTable['rows'], step: number, columns: readonly Column[], source: string, dialect: LogDialect): RunLog {
  const reader = new HistoryReader(source);
  const train: LogRow[] = [];
  const validation: LogRow[] = [];
  const shared = (metric: string) => metric === 'epoch' || metric === 'time' || metric === 'elapsed_s';
  for (const { cells, line } of records) {
    const place = linePlace(line);
    const own = bareObject<unknown>();
    const evaluated = bareObject<unknown>();
    let owns = false;
    let evaluates = false;
    for (const { index, metric } of columns) {
      const cell = cells[index] ?? '';
      if (cell === '') continue;
      const value = cellValue(cell);
      const isValidation = VALIDATION_NAME.test(metric);
      if (isValidation || shared(metric)) evaluated[metric] = value;
      if (!isValidation) own[metric] = value;
      if (isValidation) evaluates = true;
      else if (!shared(metric)) owns = true;
    }
    if (!owns && !evaluates) continue;
    const at = cellValue(cells[step] ?? '');
    const row = owns ? reader.row(own, place, at) : null;
    if (row) train.push(row);
    const val = evaluates ? reader.row(evaluated, place, at) : null;
    if (val) validation.push(val);
  }
  reader.noteOrder(train, said('trainRows'));
  reader.noteOrder(validation, said('validationRows'));
  return {
    name: source, source, dialect, config: bareObject<unknown>(), train, validation, best: null,
    finalMetrics: bareObject<number | string | null>(), environment: bareObject<unknown>(), notes: reader.notes(),
  };
}

/** A cell is a number where it reads as one; "NaN" and "inf" become gaps later. */
function cellValue(cell: string): number | string {
  const text = cell.trim();
  if (/^[+-]?(?:nan|inf|infinity)$/i.test(text)) return NaN;
  const value = Number(text);
  return text !== '' && Number.isFinite(value) ? value : cell;
}
