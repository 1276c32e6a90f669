/**
 * Runs a user's reward in an interpreter of its own, QuickJS compiled to WebAssembly: no object of the browser exists
 * in there, so there is nothing to shut. Texts go in, a number or a text comes out. Time and memory are limited.
 */
import quickjs from '@jitl/quickjs-wasmfile-release-sync';
import wasmUrl from '@jitl/quickjs-wasmfile-release-sync/wasm?url';
import { newQuickJSWASMModuleFromVariant, newVariant, Scope, type QuickJSContext, type QuickJSHandle, type QuickJSRuntime } from 'quickjs-emscripten-core';
import { judgeReturn, rewardModule } from '../objectives/rewards/custom.ts';
import { placeInStack, withinSource } from '../objectives/rewards/fault-place.ts';
import type { RewardCall, RewardOutcome, SourcePlace } from '../protocol/reward-messages.ts';

const MEMORY_BYTES = 64 * 2 ** 20;
/** Frames of the interpreter lie on the browser's own stack, which must not run out first. */
const STACK_BYTES = 128 * 2 ** 10;
const FILE = 'reward.js';
const GUEST_FILE = 'lorikeet.js';

/**
 * What the host needs inside, made before the user's code can change anything: numbers in [0, 1) that the seed decides
 * (mulberry32), the call itself, whatever it returns, as a promise, and the words of anything thrown.
 */
const GUEST = `(() => {
  const { parse } = JSON, { imul } = Math, ErrorOf = Error, text = String;
  let state = 0;
  Math.random = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
  return {
    call: async (reward, call, seed) => { state = seed; return reward(parse(call)); },
    words: (error) => { try { return error instanceof ErrorOf ? text(error.name) + ': ' + text(error.message) : text(error); } catch { return 'The reward threw something without words.'; } },
    stack: (error) => { try { return error instanceof ErrorOf ? text(error.stack) : ''; } catch { return ''; } },
  };
})()`;

const MAX_MESSAGE = 300;
const MAX_STACK = 4000;

type GuestResult = ReturnType<QuickJSContext['evalCode']>;
type Fault = { message: string; place?: SourcePlace };

/** Carries what went wrong inside out to where an outcome is made of it. */
class GuestFault extends Error {
  readonly fault: Fault & { fault: 'threw' | 'slow' };

  constructor(fault: 'threw' | 'slow', { message, place }: Fault) {
    super(message);
    this.fault = { fault, message, ...(place && { place }) };
  }
}

/** An interpreter with one reward in it. What the reward leaves in its globals stays there for the next call. */
export class RewardSandbox {
  readonly #source: string;
  readonly #vm: QuickJSContext;
  readonly #guest: QuickJSHandle;
  #reward: QuickJSHandle | null = null;
  #deadline = Infinity;
  #spent = false;

  /**
   * @param limitMs time for what the source does when it is loaded
   * @returns the sandbox, or why the source cannot be used
   */
  static async load(source: string, limitMs: number): Promise<RewardSandbox | Fault> {
    const module = await newQuickJSWASMModuleFromVariant(newVariant(quickjs, { wasmLocation: wasmUrl }));
    const sandbox = new RewardSandbox(source, module.newRuntime({ memoryLimitBytes: MEMORY_BYTES, maxStackSizeBytes: STACK_BYTES }));
    const outcome = sandbox.#guarded(limitMs, (scope) => sandbox.#load(scope));
    if (outcome === null) return sandbox;
    const { message, place } = outcome;
    return { message, ...(place && { place }) };
  }

  private constructor(source: string, runtime: QuickJSRuntime) {
    this.#source = source;
    runtime.setInterruptHandler(() => performance.now() > this.#deadline);
    runtime.setModuleLoader((name) => ({ error: new TypeError(`A reward cannot load other files ("${name.slice(0, 80)}"): write everything it needs into its own text.`) }));
    this.#vm = runtime.newContext();
    this.#guest = this.#vm.unwrapResult(this.#vm.evalCode(GUEST, GUEST_FILE));
  }

  /** It was cut short, or failed as no reward should: what is left inside is not to be trusted with another call. */
  get spent(): boolean {
    return this.#spent;
  }

  /**
   * Calls the reward; whatever goes wrong in it becomes an outcome. Promises are waited for.
   * @param seed decides what Math.random gives during the call
   */
  score(call: RewardCall, seed: number, limitMs: number): RewardOutcome {
    const outcome = this.#guarded(limitMs, (scope): RewardOutcome => {
      const vm = this.#vm;
      const [text, number] = [scope.manage(vm.newString(JSON.stringify(call))), scope.manage(vm.newNumber(seed))];
      const value = this.#settled(scope, this.#ask(scope, 'call', this.#reward!, text, number));
      const type = vm.typeof(value);
      return judgeReturn(type === 'number' ? vm.getNumber(value) : vm.sameValue(value, vm.null) ? null : undefined, type);
    });
    return 'reward' in outcome ? outcome : { reward: null, ...outcome };
  }

  #load(scope: Scope): null {
    const text = rewardModule(this.#source);
    let module = this.#vm.evalCode(text, FILE, { type: 'module' });
    if (module.error && text !== this.#source) {
      // A brace left open is found only in what was appended: the source alone says it in the user's own terms.
      module.error.dispose();
      module = this.#vm.evalCode(this.#source, FILE, { type: 'module' });
    }
    const exported = this.#settled(scope, module);
    this.#reward = this.#vm.getProp(exported, 'default');
    if (this.#vm.typeof(this.#reward) !== 'function') throw new GuestFault('threw', { message: 'TypeError: What the source exports is no function.' });
    return null;
  }

  /** Runs a piece of work against the clock and frees what it held. */
  #guarded<T>(limitMs: number, work: (scope: Scope) => T): T | GuestFault['fault'] {
    this.#deadline = performance.now() + limitMs;
    try {
      return Scope.withScope(work);
    } catch (error) {
      if (performance.now() > this.#deadline) {
        this.#spent = true;
        return { fault: 'slow', message: `No answer within ${limitMs} ms.` };
      }
      if (error instanceof GuestFault) return error.fault;
      this.#spent = true;
      return { fault: 'threw', message: (error instanceof Error ? error.message : String(error)).slice(0, MAX_MESSAGE) };
    }
  }

  /**
   * What a promise of the interpreter came to, or the value itself where it is none.
   * @throws GuestFault for what the code threw
   */
  #settled(scope: Scope, result: GuestResult): QuickJSHandle {
    const vm = this.#vm;
    if (result.error) throw new GuestFault('threw', this.#thrown(scope, scope.manage(result.error)));
    const promise = scope.manage(result.value);
    const jobs = vm.runtime.executePendingJobs();
    if (jobs.error) throw new GuestFault('threw', this.#thrown(scope, scope.manage(jobs.error)));
    const state = vm.getPromiseState(promise);
    if (state.type === 'fulfilled') return state.notAPromise ? promise : scope.manage(state.value);
    if (state.type === 'rejected') throw new GuestFault('threw', this.#thrown(scope, scope.manage(state.error)));
    this.#spent = true;
    throw new GuestFault('threw', { message: 'The promise that the reward returned is never settled.' });
  }

  #ask(scope: Scope, name: 'call' | 'words' | 'stack', ...given: QuickJSHandle[]): GuestResult {
    return this.#vm.callFunction(scope.manage(this.#vm.getProp(this.#guest, name)), this.#vm.undefined, ...given);
  }

  #thrown(scope: Scope, error: QuickJSHandle): Fault {
    const text = (name: 'words' | 'stack') => {
      const said = this.#ask(scope, name, error);
      return said.error ? '' : this.#vm.getString(scope.manage(said.value));
    };
    const place = placeInStack(text('stack').slice(0, MAX_STACK), FILE);
    return { message: text('words').slice(0, MAX_MESSAGE), ...(place && { place: withinSource(place, this.#source) }) };
  }
}
