// One token of the gated delta rule per sequence; LANES threads share a column of the state. With q̂ the output needs no second pass over the
// state: out = e^g Sᵀ q̂ + (k̂·q̂) β error.
const EPS = 1e-6;
const THREADS = COLUMNS * LANES;
var<workgroup> query: array<f32, DK>;
var<workgroup> key: array<f32, DK>;
// per lane and column: Sᵀ q and Sᵀ k
var<workgroup> reads: array<vec2<f32>, THREADS>;

@compute @workgroup_size(THREADS)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) group: vec3<u32>) {
  let head = group.y;
  let sequence = group.z;
  let stride = 2u * KEY_HEADS * DK + VALUE_HEADS * DV;
  let base = sequence * stride;
  for (var d = lid; d < DK; d += THREADS) {
    query[d] = qkv[base + head / GROUP * DK + d];
    key[d] = qkv[base + (KEY_HEADS + head / GROUP) * DK + d];
  }
  workgroupBarrier();
  let lane = lid / COLUMNS;
  let column = group.x * COLUMNS + lid % COLUMNS;
  let from_ = (sequence * VALUE_HEADS + head) * DK * DV + min(column, DV - 1u);
  var own = vec2<f32>();
  for (var d = lane; d < DK; d += LANES) { own += states[from_ + d * DV] * vec2<f32>(query[d], key[d]); }
  reads[lid] = own;
  workgroupBarrier();
  if (column >= DV) { return; }
  var read = vec2<f32>();
  for (var i = 0u; i < LANES; i++) { read += reads[i * COLUMNS + lid % COLUMNS]; }
  // |q|², |k|², q·k
  var lengths = vec3<f32>();
  for (var d = 0u; d < DK; d++) { lengths += vec3<f32>(query[d], key[d], query[d]) * vec3<f32>(query[d], key[d], key[d]); }
  let queryScale = 1.0 / sqrt((lengths.x + EPS) * f32(DK));
  let keyScale = 1.0 / sqrt(lengths.y + EPS);
  let gate = sequence * VALUE_HEADS + head;
  let decay = exp(g[gate]);
  let update = beta[gate] * (qkv[base + 2u * KEY_HEADS * DK + head * DV + column] - decay * keyScale * read.y);
  for (var d = lane; d < DK; d += LANES) { states[from_ + d * DV] = decay * states[from_ + d * DV] + key[d] * keyScale * update; }
  if (lane == 0u) { output[gate * DV + column] = queryScale * (decay * read.x + lengths.z * keyScale * update); }
}
