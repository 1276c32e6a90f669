// Highest logit per row over a vocabulary that comes in pieces; the lowest id wins ties. With SUMS also Σ exp(logit − highest).
var<workgroup> highs: array<f32, THREADS>;
var<workgroup> columns: array<u32, THREADS>;
var<workgroup> powers: array<f32, THREADS>;

@compute @workgroup_size(THREADS)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) group: vec3<u32>) {
  let base = group.x * params.columns;
  var high = -3.4e38;
  var column = 0u;
  for (var i = lid; i < params.columns; i += THREADS) {
    if (logits[base + i] > high) { high = logits[base + i]; column = i; }
  }
  highs[lid] = high;
  columns[lid] = column;
  workgroupBarrier();
  var known = -3.4e38;
  if (params.firstColumn > 0u) { known = best[group.x]; }
  if (SUMS) {
    var top = known;
    for (var t = 0u; t < THREADS; t++) { top = max(top, highs[t]); }
    var power = 0.0;
    for (var i = lid; i < params.columns; i += THREADS) { power += exp(logits[base + i] - top); }
    powers[lid] = power;
    workgroupBarrier();
    if (lid == 0u) {
      var sum = 0.0;
      if (params.firstColumn > 0u) { sum = sums[group.x] * exp(known - top); }
      for (var t = 0u; t < THREADS; t++) { sum += powers[t]; }
      sums[group.x] = sum;
    }
  }
  if (lid != 0u) { return; }
  for (var t = 1u; t < THREADS; t++) {
    if (highs[t] > high || (highs[t] == high && columns[t] < column)) { high = highs[t]; column = columns[t]; }
  }
  if (params.firstColumn == 0u || high > known) {
    best[group.x] = high;
    ids[group.x] = i32(column + params.firstColumn);
  }
}
