// y = x / √(mean(x²) + eps) · weight · silu(z) over heads of SIZE values, THREADS threads a head.
var<workgroup> partial: array<f32, THREADS>;

fn sigmoid(value: f32) -> f32 { return 1.0 / (1.0 + exp(-value)); }
fn total(lid: u32, value: f32) -> f32 {
  partial[lid] = value;
  workgroupBarrier();
  var sum = 0.0;
  for (var i = 0u; i < THREADS; i++) { sum += partial[i]; }
  workgroupBarrier();
  return sum;
}
fn inverseRms(lid: u32, base: u32) -> f32 {
  var sum = 0.0;
  for (var i = lid; i < SIZE; i += THREADS) { sum += x[base + i] * x[base + i]; }
  return 1.0 / sqrt(total(lid, sum) / f32(SIZE) + params.eps);
}
fn columnOf(item: u32, stride: u32, offset: u32) -> u32 { return item / params.headsPerRow * stride + offset + item % params.headsPerRow * SIZE; }
