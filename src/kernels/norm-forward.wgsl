// Needs norm.wgsl.
@compute @workgroup_size(THREADS)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) group: vec3<u32>) {
  let row = group.x + group.y * 65535u;
  if (row >= params.rows) { return; }
  let base = row * params.size;
  let mean = meanOf(lid, base);
  let scale = inverseDeviation(lid, base, mean);
  for (var i = lid; i < params.size; i += THREADS) {
    var value = (x[base + i] - mean) * scale * weight[i];
    if (CENTERED) { value += bias[i]; }
    y[base + i] = value;
  }
}
