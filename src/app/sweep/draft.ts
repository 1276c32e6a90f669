/** What is typed into the form of a sweep, and the definition that it means. Pure. */
import * as v from 'valibot';
import { trainingConfigSchema } from '../../protocol/config.ts';
import { LorikeetError } from '../../protocol/errors.ts';
import type { SweepAxis, SweepDefinition, SweepKey } from '../../protocol/sweep.ts';
import { FIELDS, type Field } from '../settings/fields.ts';

export interface DraftAxis {
  key: SweepKey;
  kind: 'list' | 'range';
  values: string;
  from: string;
  to: string;
  scale: 'linear' | 'log';
  points: string;
}

export interface Draft {
  name: string;
  search: SweepDefinition['search'];
  seed: string;
  maxRuns: string;
  axes: DraftAxis[];
}

/** Settings that can vary: numbers, switches and choices. */
export function variable(field: Field): boolean {
  return ['number', 'toggle', 'choice'].includes(field.control.kind);
}

const fieldOf = (key: SweepKey) => FIELDS.find((field) => field.key === key);

/** Whether a setting is a number, so that it can range. */
export function isNumber(key: SweepKey): boolean {
  return fieldOf(key)?.control.kind === 'number';
}

/** Whether a setting takes whole numbers only. */
export function isWhole(key: SweepKey): boolean {
  return isNumber(key) && !v.safeParse(trainingConfigSchema.entries[key], 1.5).success;
}

/** A first guess for a setting: around its present value. */
export function newAxis(key: SweepKey, value: unknown): DraftAxis {
  const control = fieldOf(key)?.control;
  const around = typeof value === 'number' && value > 0 ? value : 1;
  const round = (number: number) => String(isWhole(key) ? Math.max(1, Math.round(number)) : Number(number.toPrecision(3)));
  const values =
    control?.kind === 'toggle' ? 'true, false' : control?.kind === 'choice' ? control.options.join(', ') : [round(around / 2), round(around), round(around * 2)].join(', ');
  return { key, kind: 'list', values, from: round(around / 2), to: round(around * 2), scale: key === 'learning_rate' ? 'log' : 'linear', points: '3' };
}

/**
 * Reads the form.
 * @throws LorikeetError "config" naming the setting whose text means nothing
 */
export function readDraft(draft: Draft): SweepDefinition {
  return {
    name: draft.name.trim().slice(0, 60) || 'sweep',
    search: draft.search,
    seed: number(draft.seed, null),
    maxRuns: number(draft.maxRuns, null),
    axes: draft.axes.map(readAxis),
  };
}

function readAxis({ key, kind, values, from, to, scale, points }: DraftAxis): SweepAxis {
  if (kind === 'range' && isNumber(key)) return { key, kind, from: number(from, key), to: number(to, key), scale, whole: isWhole(key), points: number(points, key) };
  const control = fieldOf(key)?.control.kind;
  const words = values.split(/[,\s;，、]+/).filter((word) => word !== '');
  return { key, kind: 'list', values: words.map((word) => (control === 'number' ? number(word, key) : control === 'toggle' ? toggle(word, key) : word)) };
}

function number(text: string, key: string | null): number {
  const value = Number(text.trim() === '' ? Number.NaN : text);
  if (Number.isFinite(value)) return value;
  throw new LorikeetError('config', `"${text.slice(0, 40)}" is not a number.`, 'Separate numbers by commas; write the decimal point as a dot.', key === null ? {} : { field: key });
}

function toggle(text: string, key: string): boolean {
  if (text === 'true' || text === 'false') return text === 'true';
  throw new LorikeetError('config', `${key} takes true or false, not "${text.slice(0, 40)}".`, '', { field: key });
}
