@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let i = id.x + id.y * 65535u * 64u;
  if (i >= params.rows * params.channels) { return; }
  let row = i / params.channels;
  let channel = i % params.channels;
  let value = convolved(row, bounds[row].x, channel);
  y[i] = value * sigmoid(value);
}
