@compute @workgroup_size(THREADS)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) group: vec3<u32>) {
  let item = group.x + group.y * 65535u;
  if (item >= params.heads) { return; }
  let base = item * SIZE;
  let gate = columnOf(item, params.zStride, params.zOffset);
  let dGate = columnOf(item, params.dzStride, params.dzOffset);
  let scale = inverseRms(lid, base);
  var sum = 0.0;
  for (var i = lid; i < SIZE; i += THREADS) {
    let value = z[gate + i];
    let s = sigmoid(value);
    let normalized = x[base + i] * scale;
    let slope = dy[base + i] * weight[i];
    sum += slope * value * s * normalized;
    dz[dGate + i] = slope * normalized * s * (1.0 + value * (1.0 - s));
  }
  let mean = total(lid, sum) / f32(SIZE);
  for (var i = lid; i < SIZE; i += THREADS) {
    let value = z[gate + i];
    dx[base + i] = scale * (dy[base + i] * weight[i] * value * sigmoid(value) - x[base + i] * scale * mean);
  }
}
