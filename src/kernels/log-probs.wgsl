// Softmax statistics of logits that arrive a piece of the vocabulary at a time.
// state per row: highest logit, Σ exp(logit − highest), logit of the target.
struct Params { rows: u32, columns: u32, firstColumn: u32 }
@group(0) @binding(0) var<storage, read_write> logits: array<f32>;
@group(0) @binding(1) var<storage, read> targets: array<i32>;
@group(0) @binding(2) var<storage, read_write> state: array<vec4<f32>>;
// weight of each row's −log p in the loss
@group(0) @binding(3) var<storage, read> rowWeights: array<f32>;
@group(0) @binding(4) var<storage, read_write> nll: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;
var<workgroup> highs: array<f32, THREADS>;
var<workgroup> sums: array<f32, THREADS>;

@compute @workgroup_size(THREADS)
fn update(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) group: vec3<u32>) {
  let row = group.x;
  let base = row * params.columns;
  var high = -3.0e38;
  for (var i = lid; i < params.columns; i += THREADS) { high = max(high, logits[base + i]); }
  highs[lid] = high;
  workgroupBarrier();
  var known = vec4<f32>(-3.0e38, 0.0, 0.0, 0.0);
  if (params.firstColumn > 0u) { known = state[row]; }
  high = known.x;
  for (var i = 0u; i < THREADS; i++) { high = max(high, highs[i]); }
  var sum = 0.0;
  for (var i = lid; i < params.columns; i += THREADS) { sum += exp(logits[base + i] - high); }
  sums[lid] = sum;
  workgroupBarrier();
  if (lid != 0u) { return; }
  sum = known.y * exp(known.x - high);
  for (var i = 0u; i < THREADS; i++) { sum += sums[i]; }
  var own = known.z;
  let column = u32(targets[row]) - params.firstColumn;
  if (column < params.columns) { own = logits[base + column]; }
  state[row] = vec4<f32>(high, sum, own, 0.0);
  nll[row] = high + log(sum) - own;
}

// logits become rowWeight · (softmax − one-hot)
@compute @workgroup_size(THREADS)
fn gradient(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) group: vec3<u32>) {
  let row = group.x;
  let base = row * params.columns;
  let known = state[row];
  let share = rowWeights[row] / known.y;
  let column = u32(targets[row]) - params.firstColumn;
  for (var i = lid; i < params.columns; i += THREADS) {
    var slope = exp(logits[base + i] - known.x) * share;
    if (i == column) { slope -= rowWeights[row]; }
    logits[base + i] = slope;
  }
}

// nll[0] = Σ rowWeight · nll over `rows` rows, by one workgroup
@compute @workgroup_size(THREADS)
fn weightedSum(@builtin(local_invocation_index) lid: u32) {
  var sum = 0.0;
  for (var i = lid; i < params.rows; i += THREADS) { sum += rowWeights[i] * logits[i]; }
  sums[lid] = sum;
  workgroupBarrier();
  if (lid != 0u) { return; }
  sum = 0.0;
  for (var i = 0u; i < THREADS; i++) { sum += sums[i]; }
  nll[0] = sum;
}
