// One query per sequence against its cache; the workgroup's threads share the keys and merge their sums.
struct Params { capacity: u32, scale: f32 }
@group(0) @binding(0) var<storage, read> q: array<vec4<f32>>;
// [sequences, capacity, KV_HEADS · D]
@group(0) @binding(1) var<storage, read> k: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> v: array<vec4<f32>>;
// keys to read per sequence
@group(0) @binding(3) var<storage, read> lengths: array<i32>;
@group(0) @binding(4) var<storage, read_write> o: array<vec4<f32>>;
@group(1) @binding(0) var<uniform> params: Params;
const D4 = D / 4u;
var<workgroup> highs: array<f32, THREADS>;
var<workgroup> totals: array<f32, THREADS>;
var<workgroup> sums: array<vec4<f32>, THREADS * D4>;

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
  for (var j = lid; j < u32(lengths[sequence]); j += THREADS) {
    let at = ((sequence * params.capacity + j) * KV_HEADS + kv) * D4;
    var products = vec4<f32>();
    for (var i = 0u; i < D4; i++) { products += query[i] * k[at + i]; }
    let score = products.x + products.y + products.z + products.w;
    let next = max(high, score);
    let keep = exp(high - next);
    let p = exp(score - next);
    total = total * keep + p;
    high = next;
    for (var i = 0u; i < D4; i++) { sum[i] = sum[i] * keep + p * v[at + i]; }
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
