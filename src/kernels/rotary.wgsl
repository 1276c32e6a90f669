// Rotates pairs (i, i + D/2) of every head; NORM first applies RMSNorm with `weight` over the head.
struct Params { rows: u32, heads: u32, xStride: u32, xOffset: u32, yStride: u32, yOffset: u32, eps: f32 }
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> weight: array<f32>;
@group(0) @binding(2) var<storage, read> cosines: array<f32>;
@group(0) @binding(3) var<storage, read> sines: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;
// backward: gradient of the rotated heads
@group(0) @binding(5) var<storage, read> dy: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;
const HALF = D / 2u;

fn inverseRms(base: u32) -> f32 {
  if (!NORM) { return 1.0; }
  var sum = 0.0;
  for (var i = 0u; i < D; i++) { sum += x[base + i] * x[base + i]; }
  return 1.0 / sqrt(sum / f32(D) + params.eps);
}
fn gain(i: u32) -> f32 {
  if (NORM) { return weight[i]; }
  return 1.0;
}

@compute @workgroup_size(THREADS)
fn forward(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x >= params.rows * params.heads) { return; }
  let row = id.x / params.heads;
  let head = id.x % params.heads;
  let base = row * params.xStride + params.xOffset + head * D;
  let out = row * params.yStride + params.yOffset + head * D;
  let scale = inverseRms(base);
  for (var i = 0u; i < HALF; i++) {
    let a = x[base + i] * scale * gain(i);
    let b = x[base + i + HALF] * scale * gain(i + HALF);
    let c = cosines[row * HALF + i];
    let s = sines[row * HALF + i];
    y[out + i] = a * c - b * s;
    y[out + i + HALF] = b * c + a * s;
  }
}

@compute @workgroup_size(THREADS)
fn backward(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x >= params.rows * params.heads) { return; }
  let row = id.x / params.heads;
  let head = id.x % params.heads;
  let base = row * params.xStride + params.xOffset + head * D;
  let out = row * params.yStride + params.yOffset + head * D;
  let scale = inverseRms(base);
  var dot = 0.0;
  if (NORM) {
    for (var i = 0u; i < HALF; i++) {
      let c = cosines[row * HALF + i];
      let s = sines[row * HALF + i];
      let da = (dy[out + i] * c + dy[out + i + HALF] * s) * gain(i);
      let db = (dy[out + i + HALF] * c - dy[out + i] * s) * gain(i + HALF);
      dot += da * x[base + i] + db * x[base + i + HALF];
    }
    dot *= scale * scale / f32(D);
  }
  for (var i = 0u; i < HALF; i++) {
    let c = cosines[row * HALF + i];
    let s = sines[row * HALF + i];
    let da = (dy[out + i] * c + dy[out + i + HALF] * s) * gain(i);
    let db = (dy[out + i + HALF] * c - dy[out + i] * s) * gain(i + HALF);
    if (NORM) {
      y[base + i] = scale * (da - dot * x[base + i]);
      y[base + i + HALF] = scale * (db - dot * x[base + i + HALF]);
    } else {
      y[base + i] = da;
      y[base + i + HALF] = db;
    }
  }
}
