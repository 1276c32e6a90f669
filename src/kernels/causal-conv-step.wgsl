// One new input per sequence and channel: its output, and the window moved on by one.
const KEPT = TAPS - 1u;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let i = id.x + id.y * 65535u * 64u;
  if (i >= params.sequences * params.channels) { return; }
  let sequence = i / params.channels;
  let channel = i % params.channels;
  let newest = x[sequence * params.xStride + params.xOffset + channel];
  var value = weight[channel * TAPS + KEPT] * newest;
  for (var j = 0u; j < KEPT; j++) {
    let at = (sequence * KEPT + j) * params.channels + channel;
    value += weight[channel * TAPS + j] * windows[at];
    if (j + 1u < KEPT) { windows[at] = windows[at + params.channels]; } else { windows[at] = newest; }
  }
  y[i] = value / (1.0 + exp(-value));
}
