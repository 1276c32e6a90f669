// silu(Σ_j weight[j] · x[t − TAPS + 1 + j]) per channel, over the rows of t's own segment. weight is [channels, TAPS].
const KEPT = TAPS - 1u;
fn sigmoid(value: f32) -> f32 { return 1.0 / (1.0 + exp(-value)); }
fn inputAt(row: u32, channel: u32) -> f32 { return x[row * params.xStride + params.xOffset + channel]; }

fn convolved(row: u32, first: u32, channel: u32) -> f32 {
  var sum = 0.0;
  for (var j = 0u; j < TAPS; j++) {
    if (row + j >= first + KEPT) { sum += weight[channel * TAPS + j] * inputAt(row + j - KEPT, channel); }
  }
  return sum;
}
