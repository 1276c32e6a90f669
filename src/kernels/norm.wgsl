// RMSNorm (CENTERED false) and LayerNorm (CENTERED true) over rows of `size` values, THREADS threads a row.
var<workgroup> partial: array<f32, THREADS>;

fn total(lid: u32, value: f32) -> f32 {
  partial[lid] = value;
  workgroupBarrier();
  var sum = 0.0;
  for (var i = 0u; i < THREADS; i++) { sum += partial[i]; }
  workgroupBarrier();
  return sum;
}

fn meanOf(lid: u32, base: u32) -> f32 {
  if (!CENTERED) { return 0.0; }
  var sum = 0.0;
  for (var i = lid; i < params.size; i += THREADS) { sum += x[base + i]; }
  return total(lid, sum) / f32(params.size);
}

fn inverseDeviation(lid: u32, base: u32, mean: f32) -> f32 {
  var sum = 0.0;
  for (var i = lid; i < params.size; i += THREADS) { let d = x[base + i] - mean; sum += d * d; }
  return 1.0 / sqrt(total(lid, sum) / f32(params.size) + params.eps);
}
