// The last KEPT inputs of every sample, oldest first, zeros before its start: [samples, KEPT, channels].
const KEPT = TAPS - 1u;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let i = id.x + id.y * 65535u * 64u;
  if (i >= params.samples * KEPT * params.channels) { return; }
  let sample = samples[i / (KEPT * params.channels)];
  let back = KEPT - i / params.channels % KEPT;
  windows[i] = 0.0;
  if (sample.x + back <= sample.y) { windows[i] = x[(sample.y - back) * params.xStride + params.xOffset + i % params.channels]; }
}
