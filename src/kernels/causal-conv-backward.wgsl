@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let i = id.x + id.y * 65535u * 64u;
  if (i >= params.rows * params.channels) { return; }
  let row = i / params.channels;
  let channel = i % params.channels;
  let segment = bounds[row];
  var sum = 0.0;
  for (var ahead = 0u; ahead < TAPS && row + ahead < segment.y; ahead++) {
    let value = convolved(row + ahead, segment.x, channel);
    let s = sigmoid(value);
    sum += weight[channel * TAPS + KEPT - ahead] * dy[i + ahead * params.channels] * s * (1.0 + value * (1.0 - s));
  }
  dx[row * params.dxStride + params.dxOffset + channel] = sum;
}
