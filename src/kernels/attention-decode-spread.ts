/**
 * Text of attention of one query, spread over keys and head dimension: a workgroup scores as many keys as it has threads, four threads a key,
 * then each thread weighs its four columns of every SLOTS-th value. Nothing is held but one sum of four.
 */

/** Keys and values are [rows, KV_HEADS · D]; `first` and `count` say which rows. */
interface Source {
  keys: string;
  values: string;
  first: string;
  count: string;
}

export const SPREAD_THREADS = 256;

/** Values weighed at a time, so that their loads overlap. */
const AHEAD = 4;
const ahead = (of: (index: number) => string): string => Array.from({ length: AHEAD }, (_, index) => of(index)).join(' ');

function walk({ keys, values, first, count }: Source): string {
  return `
  for (var at = 0u; at < ${count}; at += THREADS) {
    for (var n = lid / 4u; n < THREADS; n += THREADS / 4u) {
      let row = ${first} + min(at + n, ${count} - 1u);
      let base = (row * KV_HEADS + kv) * D4;
      var products = vec4<f32>();
      for (var i = lid % 4u; i < D4; i += 4u) { products = fma(query[i], ${keys}[base + i], products); }
      parts[n * 4u + lid % 4u] = (products.x + products.y) + (products.z + products.w);
    }
    workgroupBarrier();
    let inside = at + lid < ${count};
    let part = lid * 4u;
    let score = select(LOWEST, (parts[part] + parts[part + 1u]) + (parts[part + 2u] + parts[part + 3u]), inside);
    weights[lid] = score;
    workgroupBarrier();
    var top = score;
    for (var n = 0u; n < 16u; n++) { top = max(top, weights[(lid & ~15u) + n]); }
    tops[lid / 16u] = top;
    workgroupBarrier();
    for (var n = 0u; n < THREADS / 16u; n++) { top = max(top, tops[n]); }
    let next = max(high, top);
    let keep = exp(high - next);
    high = next;
    let p = select(0.0, exp(score - high), inside);
    total = fma(total, keep, p);
    sum *= keep;
    weights[lid] = p;
    workgroupBarrier();
    if (slot < SLOTS) {
      let used = min(THREADS, ${count} - at);
      let base = ((${first} + at) * KV_HEADS + kv) * D4 + quad;
      for (var n = slot; n < used; n += ${AHEAD}u * SLOTS) {
        ${ahead((a) => `let n${a} = n + ${a}u * SLOTS; let value${a} = ${values}[base + min(n${a}, used - 1u) * KV_HEADS * D4];`)}
        ${ahead((a) => `sum = fma(vec4<f32>(weights[n${a}]), value${a}, sum);`)}
      }
    }
  }`;
}

/** After constants D, KV_HEADS, HEADS, GROUP and THREADS = SPREAD_THREADS. */
export const SPREAD_WGSL = `
const D4 = D / 4u;
const SLOTS = THREADS / D4;
const LOWEST = -3.0e38;
var<workgroup> query: array<vec4<f32>, D4>;
var<workgroup> parts: array<f32, THREADS * 4u>;
// With zeros behind, as far as the last turn looks ahead.
var<workgroup> weights: array<f32, THREADS + ${AHEAD}u * SLOTS>;
var<workgroup> tops: array<f32, THREADS / 16u>;
var<workgroup> sums: array<vec4<f32>, THREADS>;

@compute @workgroup_size(THREADS)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) group: vec3<u32>) {
  let sequence = group.x;
  let head = group.y;
  let kv = head / GROUP;
  let slot = lid / D4;
  let quad = lid % D4;
  let queryAt = (sequence * HEADS + head) * D4;
  for (var n = lid; n < ${AHEAD}u * SLOTS; n += THREADS) { weights[THREADS + n] = 0.0; }
  if (lid < D4) { query[lid] = q[queryAt + lid] * params.scale; }
  workgroupBarrier();
  var high = LOWEST;
  // Of this thread's keys only.
  var total = 0.0;
  var sum = vec4<f32>();
  let span = spans[sequence];
  ${walk({ keys: 'promptK', values: 'promptV', first: 'span.x', count: 'span.y' })}
  ${walk({ keys: 'ownK', values: 'ownV', first: 'span.z', count: 'span.w' })}
  sums[lid] = sum;
  parts[lid] = total;
  workgroupBarrier();
  if (lid < D4) {
    var whole = 0.0;
    for (var n = 0u; n < THREADS; n++) { whole += parts[n]; }
    var value = vec4<f32>();
    for (var n = 0u; n < SLOTS; n++) { value += sums[n * D4 + lid]; }
    o[queryAt + lid] = value / whole;
  }
}`;
