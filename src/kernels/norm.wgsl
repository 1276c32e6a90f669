// RMSNorm (CENTERED false) and LayerNorm (CENTERED true) over rows of SIZE values, THREADS threads a row.
struct Params { rows: u32, size: u32, eps: f32, hasAddend: u32 }
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> weight: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
// forward: bias of LayerNorm; backward: dy
@group(0) @binding(3) var<storage, read> other: array<f32>;
// backward: added to dx
@group(0) @binding(4) var<storage, read> addend: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;
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

@compute @workgroup_size(THREADS)
fn forward(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) group: vec3<u32>) {
  let row = group.x + group.y * 65535u;
  if (row >= params.rows) { return; }
  let base = row * params.size;
  let mean = meanOf(lid, base);
  let scale = inverseDeviation(lid, base, mean);
  for (var i = lid; i < params.size; i += THREADS) {
    var value = (x[base + i] - mean) * scale * weight[i];
    if (CENTERED) { value += other[i]; }
    y[base + i] = value;
  }
}

@compute @workgroup_size(THREADS)
fn backward(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) group: vec3<u32>) {
  let row = group.x + group.y * 65535u;
  if (row >= params.rows) { return; }
  let base = row * params.size;
  let mean = meanOf(lid, base);
  let scale = inverseDeviation(lid, base, mean);
  var sumG = 0.0;
  var sumGX = 0.0;
  for (var i = lid; i < params.size; i += THREADS) {
    let g = other[base + i] * weight[i];
    sumG += g;
    sumGX += g * (x[base + i] - mean) * scale;
  }
  let meanGX = total(lid, sumGX) / f32(params.size);
  var meanG = 0.0;
  if (CENTERED) { meanG = total(lid, sumG) / f32(params.size); }
  for (var i = lid; i < params.size; i += THREADS) {
    let normalized = (x[base + i] - mean) * scale;
    var dx = scale * (other[base + i] * weight[i] - meanG - normalized * meanGX);
    if (params.hasAddend != 0u) { dx += addend[base + i]; }
    y[base + i] = dx;
  }
}
