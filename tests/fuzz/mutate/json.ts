/** Changes JSON values, and the text they become: keys given twice and numbers that JavaScript cannot hold are text only. */
import type { Random } from '../../../tools/random.ts';
import { nastyValue, NASTY_STRINGS } from './nasty.ts';
import { mutateText } from './text.ts';

/** A place in a value that can be read, replaced, removed and called otherwise. */
interface Slot {
  get(): unknown;
  set(value: unknown): void;
  remove(): void;
  rename(key: string): void;
}

const MAX_SLOTS = 3000;
const RAW_NUMBERS = ['1e999', '-1e999', '1e-999', '00', 'NaN', '123456789012345678901234567890'];

/** JSON text of a copy with one to three changes. */
export function mutateJson(random: Random, value: unknown): string {
  const holder = { root: structuredClone(value) };
  for (let changes = 1 + random.below(3); changes > 0; changes--) changeOne(random, holder);
  let text = JSON.stringify(holder.root) ?? 'null';
  if (random.chance(0.06)) text = withKeyTwice(random, text);
  if (random.chance(0.06)) text = withRawNumber(random, text);
  return random.chance(0.06) ? mutateText(random, text) : text;
}

function changeOne(random: Random, holder: { root: unknown }): void {
  const slots = slotsOf(holder);
  // The whole value only now and then: what lies behind it would never be reached.
  const slot = slots.length > 1 && !random.chance(0.02) ? slots[1 + random.below(slots.length - 1)] : slots[0];
  const old = slot.get();
  switch (random.below(8)) {
    case 0:
      return slot.remove();
    case 1:
    case 2:
      return slot.set(nastyValue(random));
    case 3:
      return slot.rename(random.pick(NASTY_STRINGS).slice(0, 60));
    case 4:
      return slot.set(near(random, old));
    case 5:
      return slot.set(typeof old === 'string' ? mutateText(random, old) : [old]);
    case 6:
      return slot.set(Array.isArray(old) ? [...old].reverse() : typeof old === 'number' ? String(old) : { a: old });
    default:
      return slot.set(structuredClone(random.pick(slots).get()));
  }
}

/** Like the old value, but not quite. */
function near(random: Random, old: unknown): unknown {
  if (typeof old === 'number') return old * random.pick([-1, 0, 1, 2, 0.5, 1e6, 1 + 1e-9]) + random.pick([0, 1, -1]);
  if (typeof old === 'string') return random.chance(0.5) ? old + random.pick(NASTY_STRINGS) : random.pick(NASTY_STRINGS) + old;
  if (Array.isArray(old)) return [...(old as unknown[]), ...(old as unknown[])];
  return typeof old === 'boolean' ? !old : nastyValue(random);
}

function slotsOf(holder: { root: unknown }): Slot[] {
  const slots: Slot[] = [slotAt(holder, 'root')];
  const walk = (value: unknown, depth: number): void => {
    if (typeof value !== 'object' || value === null || depth > 40) return;
    for (const key of Object.keys(value)) {
      if (slots.length >= MAX_SLOTS) return;
      slots.push(slotAt(value, key));
      walk((value as Record<string, unknown>)[key], depth + 1);
    }
  };
  walk(holder.root, 0);
  return slots;
}

function slotAt(owner: object, key: string): Slot {
  const fields = owner as Record<string, unknown>;
  // Plain assignment to "__proto__" would make no key.
  const define = (name: string, value: unknown) => Object.defineProperty(owner, name, { value, enumerable: true, configurable: true, writable: true });
  const remove = () => (Array.isArray(owner) ? void owner.splice(Number(key), 1) : key === 'root' ? define(key, null) : void delete fields[key]);
  return {
    get: () => fields[key],
    set: (value) => void define(key, value),
    remove: () => void remove(),
    rename: (name) => {
      if (Array.isArray(owner) || key === 'root') return;
      const value = fields[key];
      delete fields[key];
      define(name, value);
    },
  };
}

function withKeyTwice(random: Random, text: string): string {
  const keys = [...text.matchAll(/"([A-Za-z_]\w*)":/g)];
  if (keys.length === 0) return text;
  const { index, 1: key } = random.pick(keys);
  return `${text.slice(0, index)}"${key}":${JSON.stringify(nastyValue(random))},${text.slice(index)}`;
}

function withRawNumber(random: Random, text: string): string {
  const numbers = [...text.matchAll(/(?<=[:[,])-?\d+(?:\.\d+)?(?=[,\]}])/g)];
  if (numbers.length === 0) return text;
  const { index, 0: number } = random.pick(numbers);
  return text.slice(0, index) + random.pick(RAW_NUMBERS) + text.slice(index + number.length);
}
