// One query per sequence against the keys of its prompt and its own; the workgroup's threads share the keys and merge their sums.
// Keys and values are [rows, KV_HEADS · D].
const D4 = D / 4u;
var<workgroup> highs: array<f32, THREADS>;
var<workgroup> totals: array<f32, THREADS>;
var<workgroup> sums: array<vec4<f32>, THREADS * D4>;

fn keyAt(own: bool, at: u32) -> vec4<f32> {
  if (own) { return ownK[at]; }
  return promptK[at];
}
fn valueAt(own: bool, at: u32) -> vec4<f32> {
  if (own) { return ownV[at]; }
  return promptV[at];
}

@compute @workgroup_size(THREADS)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) group: vec3<u32>) {
  let sequence = group.x;
  let head = group.y;
  let kv = head / GROUP;
  let queryAt = (sequence * HEADS + head) * D4;
  var query: array<vec4<f32>, D4>;
  var sum: array<vec4<f32>, D4>;
  for (var i = 0u; i < D4; i++) { query[i] = q[queryAt + i] * params.scale; sum[i] = vec4<f32>(); }
  var high = -3.0e38;
  var total = 0.0;
  let span = spans[sequence];
  for (var j = lid; j < span.y + span.w; j += THREADS) {
    let own = j >= span.y;
    let row = select(span.x + j, span.z + j - span.y, own);
    let at = (row * KV_HEADS + kv) * D4;
    var products = vec4<f32>();
    for (var i = 0u; i < D4; i++) { products += query[i] * keyAt(own, at + i); }
    let score = products.x + products.y + products.z + products.w;
    let next = max(high, score);
    let keep = exp(high - next);
    let p = exp(score - next);
    total = total * keep + p;
    high = next;
    for (var i = 0u; i < D4; i++) { sum[i] = sum[i] * keep + p * valueAt(own, at + i); }
  }
  highs[lid] = high;
  totals[lid] = total;
  for (var i = 0u; i < D4; i++) { sums[lid * D4 + i] = sum[i]; }
  workgroupBarrier();
  var highest = highs[0];
  for (var t = 1u; t < THREADS; t++) { highest = max(highest, highs[t]); }
  var whole = 0.0;
  for (var t = 0u; t < THREADS; t++) { whole += totals[t] * exp(highs[t] - highest); }
  for (var i = lid; i < D4; i += THREADS) {
    var value = vec4<f32>();
    for (var t = 0u; t < THREADS; t++) { value += sums[t * D4 + i] * exp(highs[t] - highest); }
    o[queryAt + i] = value / whole;
  }
}
