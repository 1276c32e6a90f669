// One token of the gated delta rule per sequence; a thread owns a column of the state. With q̂ the output needs no second pass over the state:
// out = e^g Sᵀ q̂ + (k̂·q̂) β error.
const EPS = 1e-6;
var<workgroup> query: array<f32, DK>;
var<workgroup> key: array<f32, DK>;

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
  let column = group.x * THREADS + lid;
  if (column >= DV) { return; }
  let from_ = (sequence * VALUE_HEADS + head) * DK * DV + column;
  var queryLength = 0.0;
  var keyLength = 0.0;
  var product = 0.0;
  var readQuery = 0.0;
  var readKey = 0.0;
  for (var d = 0u; d < DK; d++) {
    let value = states[from_ + d * DV];
    queryLength += query[d] * query[d];
    keyLength += key[d] * key[d];
    product += query[d] * key[d];
    readQuery += value * query[d];
    readKey += value * key[d];
  }
  let queryScale = 1.0 / sqrt((queryLength + EPS) * f32(DK));
  let keyScale = 1.0 / sqrt(keyLength + EPS);
  let gate = sequence * VALUE_HEADS + head;
  let decay = exp(g[gate]);
  let update = beta[gate] * (qkv[base + 2u * KEY_HEADS * DK + head * DV + column] - decay * keyScale * readKey);
  for (var d = 0u; d < DK; d++) { states[from_ + d * DV] = decay * states[from_ + d * DV] + key[d] * keyScale * update; }
  output[gate * DV + column] = queryScale * (decay * readQuery + product * keyScale * update);
}
