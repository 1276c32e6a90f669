/**
 * Text of tiled attention: one workgroup takes ROWS rows of one head and walks over the rows that they see ("columns"), a tile at a time.
 * A product of rows and columns sits in registers, 4 × 4 a thread, while the head dimension passes through workgroup memory;
 * what the thread makes of it goes back through workgroup memory, a quarter of the columns at a time, and weighs the columns of a second
 * source into the output: 4 rows × `width` fours of the head dimension a thread.
 * A thread's columns lie `columns` apart, so that neighbours read neighbouring rows, padded to five fours against bank conflicts.
 */
import { CHUNK, memoryOf, ROW_THREADS, ROWS, STRIDE, tileGeometry, type TileGeometry } from './attention-geometry.ts';

/** A tensor that tiles are read from, and the head read. */
export interface TileSource {
  name: 'q' | 'k' | 'v' | 'dO';
  head: 'head' | 'kv';
}

const ADDRESS = { q: 'qAt', k: 'kAt', v: 'vAt', dO: 'oAt' } as const;

export const times = <T>(count: number, of: (index: number) => T): T[] => Array.from({ length: count }, (_, index) => of(index));
const lines = (text: readonly string[], indent = 2): string => text.join(`\n${' '.repeat(indent)}`);

/** Writers of the phases for one head dimension. */
export class TileText {
  readonly geometry: TileGeometry;
  private readonly quads: number;

  constructor(headDim: number, outputs: 1 | 2) {
    this.geometry = tileGeometry(headDim, outputs);
    this.quads = headDim / 4;
  }

  declarations(): string {
    const { columns } = this.geometry;
    return `
const C = ${columns}u;
// Rows of reduced values and of weights begin where banks differ.
const LINE = C + 1u;
var<workgroup> tile: array<vec4<f32>, ${memoryOf(this.geometry)}>;`;
  }

  /**
   * Start of an entry point with `thread` and `group`: the thread's place and its rows.
   * Causal rows see the more, the later they come: the last begin first, so that no long ones are left over at the end.
   */
  private prologue(of: 'queries' | 'keys'): string {
    return `let lid = thread.y * C + thread.x;
  let stagedRow = lid / ${CHUNK}u;
  let stagedQuad = lid % ${CHUNK}u;
  let block = ${of === 'queries' ? `select(group.x, (params.rows - 1u) / ${ROWS}u - group.x, params.causal != 0u)` : 'group.x'};
  let row0 = block * ${ROWS}u;
  let row = row0 + thread.y * 4u;
  let lastRow = params.rows - 1u;`;
  }

  /** Declares which columns the thread's rows see. \`sight(row)\` is WGSL for the first and one past the last that a row sees. */
  private sights(sight: (row: string) => string): string {
    return `${lines(times(4, (i) => `let sight${i} = ${sight(`min(row + ${i}u, lastRow)`)};`))}
  let firsts = vec4<u32>(sight0.x, sight1.x, sight2.x, sight3.x);
  let counts = vec4<u32>(sight0.y, sight1.y, sight2.y, sight3.y) - firsts;`;
  }

  /** `body` for each tile of keys that the workgroup's queries see. */
  overKeys(body: string): string {
    return `for (var part = FIRST_PART; part < 2u; part++) {
  // Segments follow one another: the first row sees the earliest keys, the last row the latest. So all know the same bounds.
  let begin = keysOf(row0, part).x;
  let end = keysOf(min(row0 + ${ROWS - 1}u, lastRow), part).y;
  ${this.sights((row) => `keysOf(${row}, part)`)}
  ${this.overTiles(body)}
  }`;
  }

  /** `body` for each tile of queries that see the workgroup's keys. */
  overQueries(body: string): string {
    return `let begin = queriesOf(row0).x;
  let last = min(row0 + ${ROWS - 1}u, lastRow);
  var end = queriesOf(last).y;
  if (PREFIXED) {
    // A prefix among these keys is seen for longer than the rows that continue it.
    let prefix = prefixes[last];
    if (prefix.y > row0) { end = queriesOf(prefix.x).y; }
  }
  ${this.sights((row) => `queriesOf(${row})`)}
  for (var head = kv * GROUP; head < (kv + 1u) * GROUP; head++) {
  ${this.overTiles(body)}
  }`;
  }

  private overTiles(body: string): string {
    return `for (var at = begin; at < end; at += 4u * C) {
  ${body}
  }`;
  }

  /** Which of the thread's rows see its j-th column of the tile at `at`. */
  visible(j: number): string {
    return `vec4<u32>(at + thread.x + ${j}u * C) - firsts < counts`;
  }

  /** Declares sums for the output, for each row and four of the head dimension. */
  outputSums(name: string): string {
    return lines(this.outputs((i, w) => `var ${name}${i}_${w} = vec4<f32>();`));
  }

  outputs(of: (i: number, w: number) => string): string[] {
    return times(4, (i) => times(this.geometry.width, (w) => of(i, w))).flat();
  }

  /** Declares `name`0…3: for each of the thread's columns of the tile at `at`, products of its four rows. */
  product(name: string, rows: TileSource, columns: TileSource): string {
    const { columns: C } = this.geometry;
    const threads = ROW_THREADS * C;
    const rowRounds = Math.ceil((ROWS * CHUNK) / threads);
    const uneven = (ROWS * CHUNK) % threads !== 0;
    const padded = this.quads % CHUNK !== 0;
    const from = (source: TileSource, at: string) => (padded ? `select(vec4<f32>(), ${source.name}[${at} + ${name}At], ${name}At + stagedQuad < D4)` : `${source.name}[${at} + ${name}At]`);
    const step = threads / CHUNK;
    const cell = (i: number, j: number) => `${name}${i}${j}`;
    const cells = times(4, (i) => times(4, (j) => cell(i, j))).flat();
    return `${lines(times(rowRounds, (r) => `let ${name}Row${r} = ${ADDRESS[rows.name]}(min(row0 + stagedRow + ${r * step}u, lastRow), ${rows.head}) + stagedQuad;`))}
  ${lines(times(2, (r) => `let ${name}Column${r} = ${ADDRESS[columns.name]}(min(at + stagedRow + ${r * step}u, end - 1u), ${columns.head}) + stagedQuad;`))}
  ${lines(cells.map((sum) => `var ${sum} = 0.0;`))}
  var ${name}At = 0u;
  ${lines(times(rowRounds, (r) => `var ${name}RowQuad${r} = ${from(rows, `${name}Row${r}`)};`))}
  ${lines(times(2, (r) => `var ${name}ColumnQuad${r} = ${from(columns, `${name}Column${r}`)};`))}
  for (var chunk = 0u; chunk < ${Math.ceil(this.quads / CHUNK)}u; chunk++) {
    workgroupBarrier();
    ${lines(times(rowRounds, (r) => `${uneven ? `if (lid < ${ROWS * CHUNK}u) ` : ''}{ tile[(stagedRow + ${r * step}u) * ${STRIDE}u + stagedQuad] = ${name}RowQuad${r}; }`), 4)}
    ${lines(times(2, (r) => `tile[(${ROWS + r * step}u + stagedRow) * ${STRIDE}u + stagedQuad] = ${name}ColumnQuad${r};`), 4)}
    workgroupBarrier();
    // The next chunk is on its way while this one is multiplied; after the last, the last again.
    ${name}At = min(${name}At + ${CHUNK}u, ${(Math.ceil(this.quads / CHUNK) - 1) * CHUNK}u);
    ${lines(times(rowRounds, (r) => `${name}RowQuad${r} = ${from(rows, `${name}Row${r}`)};`), 4)}
    ${lines(times(2, (r) => `${name}ColumnQuad${r} = ${from(columns, `${name}Column${r}`)};`), 4)}
    for (var e = 0u; e < ${CHUNK}u; e++) {
      ${lines(times(4, (i) => `let a${i} = tile[thread.y * ${4 * STRIDE}u + ${i * STRIDE}u + e];`), 6)}
      ${lines(times(4, (j) => this.column(name, j)), 6)}
    }
  }
  ${lines(times(4, (j) => `var ${name}${j} = vec4<f32>(${times(4, (i) => cell(i, j)).join(', ')});`))}`;
  }

  private column(name: string, j: number): string {
    const { columns: C } = this.geometry;
    const terms = ['x', 'y', 'z', 'w'].flatMap((c) => times(4, (i) => `${name}${i}${j} = fma(a${i}.${c}, b${j}.${c}, ${name}${i}${j});`));
    return `let b${j} = tile[(${ROWS + j * C}u + thread.x) * ${STRIDE}u + e];\n      ${lines(terms, 6)}`;
  }

  /** Adds weights · columns to the sums `output`; weights `name`0…3 as `product` declares them. */
  weigh(output: string, name: string, source: TileSource): string {
    const { columns: C, width, stage } = this.geometry;
    const base = ROW_THREADS * (C + 1);
    const rounds = Math.ceil(stage / ROW_THREADS);
    const fours = width * C;
    const inRound = (r: number, text: string) => ((r + 1) * ROW_THREADS > stage ? `if (thread.y + ${r * ROW_THREADS}u < ${stage}u) { ${text} }` : text);
    const load = (r: number, w: number) => {
      const from = `${source.name}[${output}At${r} + ${w * C}u]`;
      return `${output}Y${r}_${w} = ${(w + 1) * C > this.quads ? `select(vec4<f32>(), ${from}, thread.x + ${w * C}u < D4)` : from};`;
    };
    const each = (of: (r: number, w: number) => string) => times(rounds, (r) => times(width, (w) => of(r, w))).flat();
    const fetch = (step: string) => [
      ...times(rounds, (r) => `${output}At${r} = ${ADDRESS[source.name]}(min(at + ${step} * ${stage}u + ${r * ROW_THREADS}u + thread.y, end - 1u), ${source.head}) + thread.x;`),
      ...each(load),
    ];
    return `${lines(times(rounds, (r) => `var ${output}At${r}: u32;`))}
  ${lines(each((r, w) => `var ${output}Y${r}_${w}: vec4<f32>;`))}
  ${lines(fetch('0u'))}
  for (var step = 0u; step < ${(4 * C) / stage}u; step++) {
    if (at + step * ${stage}u >= end) { break; }
    let quarter = step / ${C / stage}u;
    let n0 = step % ${C / stage}u * ${stage}u;
    let weights = select(select(${name}0, ${name}1, quarter == 1u), select(${name}2, ${name}3, quarter == 3u), quarter >= 2u);
    workgroupBarrier();
    if (n0 == 0u) { tile[thread.y * LINE + thread.x] = weights; }
    ${lines(times(rounds, (r) => inRound(r, times(width, (w) => `tile[${base}u + (thread.y + ${r * ROW_THREADS}u) * ${fours}u + thread.x + ${w * C}u] = ${output}Y${r}_${w};`).join(' '))), 4)}
    workgroupBarrier();
    // The next columns are on their way while these are weighed; after the last, its last again.
    ${lines(fetch('(step + 1u)'), 4)}
    for (var n = 0u; n < ${stage}u; n++) {
      let p = tile[thread.y * LINE + n0 + n];
      ${lines(times(width, (w) => `let x${w} = tile[${base}u + n * ${fours}u + thread.x + ${w * C}u];`), 6)}
      ${lines(this.outputs((i, w) => `${output}${i}_${w} = fma(vec4<f32>(p[${i}]), x${w}, ${output}${i}_${w});`), 6)}
    }
  }`;
  }

  /** Declares `name`: \`value\` of the row's threads put together by \`operation\`, in the order of the threads. */
  reduceRows(name: string, value: string, operation: (a: string, b: string) => string): string {
    return `workgroupBarrier();
  tile[thread.y * LINE + thread.x] = ${value};
  workgroupBarrier();
  var ${name} = tile[thread.y * LINE];
  for (var n = 1u; n < C; n++) { ${name} = ${operation(name, 'tile[thread.y * LINE + n]')}; }`;
  }

  /** Writes the sums that exist: \`store(i, w)\` for rows and fours within bounds. */
  stores(store: (i: number, w: number) => string): string {
    const { columns: C } = this.geometry;
    return lines(this.outputs((i, w) => `if (row + ${i}u < params.rows${(w + 1) * C > this.quads ? ` && thread.x + ${w * C}u < D4` : ''}) { ${store(i, w)} }`));
  }

  entry(of: 'queries' | 'keys', body: string): string {
    return `
@compute @workgroup_size(${this.geometry.columns}, ${ROW_THREADS})
fn main(@builtin(local_invocation_id) thread: vec3<u32>, @builtin(workgroup_id) group: vec3<u32>) {
  ${this.prologue(of)}
  ${body}
}`;
  }
}
