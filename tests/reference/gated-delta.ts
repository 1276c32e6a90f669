/** The gated delta rule row by row, in doubles, with its gradient by the chain rule through every step. */

type Values = ArrayLike<number>;

export interface PlainDeltaShape {
  keyHeads: number;
  valueHeads: number;
  keyDim: number;
  valueDim: number;
}

export interface PlainDeltaInputs {
  /** [rows, 2 · keyHeads · keyDim + valueHeads · valueDim] */
  qkv: Values;
  /** [rows, valueHeads] */
  g: Values;
  beta: Values;
  /** Rows of each sample, laid end to end; rows after them are samples of their own without a state given or asked for. */
  lengths: readonly number[];
  /** [samples, valueHeads, keyDim, valueDim] */
  initialStates?: Values;
}

export interface PlainDeltaGradient {
  dQkv: Float64Array;
  dG: Float64Array;
  dBeta: Float64Array;
  dInitialStates: Float64Array;
}

const EPS = 1e-6;

function unit(x: Values, at: number, size: number): { values: Float64Array; inverse: number } {
  const values = Float64Array.from({ length: size }, (_, i) => x[at + i]);
  const inverse = 1 / Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) + EPS);
  return { values: values.map((value) => value * inverse), inverse };
}

/** dx of x / √(x·x + eps) */
function unitGradient({ values, inverse }: { values: Float64Array; inverse: number }, dy: Float64Array): Float64Array {
  const along = values.reduce((sum, value, i) => sum + value * dy[i], 0);
  return dy.map((value, i) => inverse * (value - values[i] * along));
}

/** Rows and value head of one sample, or of one padding row. */
function* walks({ g, lengths }: PlainDeltaInputs, { valueHeads }: PlainDeltaShape): Generator<{ first: number; length: number; sample: number; head: number }> {
  const rows = g.length / valueHeads;
  let first = 0;
  for (let sample = 0; first < rows; sample++) {
    const length = lengths[sample] ?? 1;
    for (let head = 0; head < valueHeads; head++) yield { first, length, sample, head };
    first += length;
  }
}

function walkForward(inputs: PlainDeltaInputs, shape: PlainDeltaShape, { first, length, sample, head }: { first: number; length: number; sample: number; head: number }) {
  const { keyHeads, valueHeads, keyDim, valueDim } = shape;
  const width = 2 * keyHeads * keyDim + valueHeads * valueDim;
  const keyHead = Math.floor(head / (valueHeads / keyHeads));
  const size = keyDim * valueDim;
  let state: Float64Array = new Float64Array(size);
  if (inputs.initialStates && sample < inputs.lengths.length) state = Float64Array.from(state, (_, i) => inputs.initialStates![(sample * valueHeads + head) * size + i]);
  const steps = Array.from({ length }, (_, t) => {
    const row = first + t;
    const queryAt = row * width + keyHead * keyDim;
    const keyAt = queryAt + keyHeads * keyDim;
    const valueAt = row * width + 2 * keyHeads * keyDim + head * valueDim;
    const gate = row * valueHeads + head;
    const query = unit(inputs.qkv, queryAt, keyDim);
    const key = unit(inputs.qkv, keyAt, keyDim);
    const decay = Math.exp(inputs.g[gate]);
    const decayed = state.map((value) => value * decay);
    const error = Float64Array.from({ length: valueDim }, (_, c) => {
      let read = 0;
      for (let d = 0; d < keyDim; d++) read += decayed[d * valueDim + c] * key.values[d];
      return inputs.qkv[valueAt + c] - read;
    });
    const after = decayed.map((value, i) => value + key.values[Math.floor(i / valueDim)] * inputs.beta[gate] * error[i % valueDim]);
    state = after;
    return { queryAt, keyAt, valueAt, gate, query, key, decay, decayed, error, after };
  });
  return { steps, state };
}

/** Outputs [rows, valueHeads, valueDim] and the samples' final states [samples, valueHeads, keyDim, valueDim]. */
export function plainGatedDelta(inputs: PlainDeltaInputs, shape: PlainDeltaShape): { output: Float64Array; finalStates: Float64Array } {
  const { valueHeads, keyDim, valueDim } = shape;
  const output = new Float64Array(inputs.g.length * valueDim);
  const finalStates = new Float64Array(inputs.lengths.length * valueHeads * keyDim * valueDim);
  for (const walk of walks(inputs, shape)) {
    const { steps, state } = walkForward(inputs, shape, walk);
    for (const { gate, query, after } of steps) {
      for (let i = 0; i < after.length; i++) output[gate * valueDim + (i % valueDim)] += (after[i] * query.values[Math.floor(i / valueDim)]) / Math.sqrt(keyDim);
    }
    if (walk.sample < inputs.lengths.length) finalStates.set(state, (walk.sample * valueHeads + walk.head) * keyDim * valueDim);
  }
  return { output, finalStates };
}

/** Gradients of Σ output · dOutput + Σ finalStates · dFinalStates. */
export function plainGatedDeltaGradient(inputs: PlainDeltaInputs, shape: PlainDeltaShape, dOutput: Values, dFinalStates?: Values): PlainDeltaGradient {
  const { valueHeads, keyDim, valueDim } = shape;
  const size = keyDim * valueDim;
  const dQkv = new Float64Array(inputs.qkv.length);
  const dG = new Float64Array(inputs.g.length);
  const dBeta = new Float64Array(inputs.g.length);
  const dInitialStates = new Float64Array(inputs.lengths.length * valueHeads * size);
  const add = (at: number, gradient: Float64Array) => gradient.forEach((value, i) => (dQkv[at + i] += value));
  for (const walk of walks(inputs, shape)) {
    const own = walk.sample < inputs.lengths.length;
    const stateAt = (walk.sample * valueHeads + walk.head) * size;
    let dState = Float64Array.from({ length: size }, (_, i) => (own && dFinalStates ? dFinalStates[stateAt + i] : 0));
    for (const step of walkForward(inputs, shape, walk).steps.reverse()) {
      const { queryAt, keyAt, valueAt, gate, query, key, decay, decayed, error, after } = step;
      const beta = inputs.beta[gate];
      const dQuery = new Float64Array(keyDim);
      const dKey = new Float64Array(keyDim);
      const dUpdate = new Float64Array(valueDim);
      for (let i = 0; i < size; i++) {
        const [d, c] = [Math.floor(i / valueDim), i % valueDim];
        const dOut = dOutput[gate * valueDim + c] / Math.sqrt(keyDim);
        dQuery[d] += after[i] * dOut;
        dState[i] += query.values[d] * dOut;
        dKey[d] += dState[i] * beta * error[c];
        dUpdate[c] += dState[i] * key.values[d];
      }
      const dError = dUpdate.map((value) => beta * value);
      dBeta[gate] = dUpdate.reduce((sum, value, c) => sum + value * error[c], 0);
      const dDecayed = dState.map((value, i) => value - key.values[Math.floor(i / valueDim)] * dError[i % valueDim]);
      decayed.forEach((value, i) => (dKey[Math.floor(i / valueDim)] -= value * dError[i % valueDim]));
      dG[gate] = dDecayed.reduce((sum, value, i) => sum + value * decayed[i], 0);
      dState = dDecayed.map((value) => value * decay);
      add(queryAt, unitGradient(query, dQuery));
      add(keyAt, unitGradient(key, dKey));
      add(valueAt, dError);
    }
    if (own) dInitialStates.set(dState, stateAt);
  }
  return { dQkv, dG, dBeta, dInitialStates };
}
