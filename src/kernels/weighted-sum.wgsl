// sum[0] = Σ weights · values over `count` values, by one workgroup
var<workgroup> sums: array<f32, THREADS>;

@compute @workgroup_size(THREADS)
fn main(@builtin(local_invocation_index) lid: u32) {
  var total = 0.0;
  for (var i = lid; i < params.count; i += THREADS) { total += weights[i] * values[i]; }
  sums[lid] = total;
  workgroupBarrier();
  if (lid != 0u) { return; }
  total = 0.0;
  for (var i = 0u; i < THREADS; i++) { total += sums[i]; }
  sum[0] = total;
}
