@compute @workgroup_size(THREADS)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) group: vec3<u32>) {
  let item = group.x + group.y * 65535u;
  if (item >= params.heads) { return; }
  let base = item * SIZE;
  let gate = columnOf(item, params.zStride, params.zOffset);
  let scale = inverseRms(lid, base);
  for (var i = lid; i < SIZE; i += THREADS) {
    let value = z[gate + i];
    y[base + i] = x[base + i] * scale * weight[i] * value * sigmoid(value);
  }
}
