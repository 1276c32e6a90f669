// Elementwise activations over `count` floats.
struct Params { count: u32 }
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> out0: array<f32>;
@group(0) @binding(4) var<storage, read_write> out1: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

fn indexOf(id: vec3<u32>) -> u32 { return id.x + id.y * 65535u * 64u; }
fn sigmoid(x: f32) -> f32 { return 1.0 / (1.0 + exp(-x)); }

// Abramowitz and Stegun 7.1.26, absolute error below 1.5e-7.
fn erf(x: f32) -> f32 {
  let t = 1.0 / (1.0 + 0.3275911 * abs(x));
  let series = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  return sign(x) * (1.0 - series * exp(-x * x));
}
const INNER = 0.7978845608028654;
const CUBIC = 0.044715;
fn geluTanh(x: f32) -> f32 {
  // tanh of large arguments overflows on some drivers; beyond ±10 it is ±1 in float32
  return 0.5 * x * (1.0 + tanh(clamp(INNER * (x + CUBIC * x * x * x), -10.0, 10.0)));
}
fn geluTanhSlope(x: f32) -> f32 {
  let t = tanh(clamp(INNER * (x + CUBIC * x * x * x), -10.0, 10.0));
  return 0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * INNER * (1.0 + 3.0 * CUBIC * x * x);
}
fn geluExact(x: f32) -> f32 { return 0.5 * x * (1.0 + erf(x * 0.7071067811865476)); }
fn geluExactSlope(x: f32) -> f32 {
  return 0.5 * (1.0 + erf(x * 0.7071067811865476)) + x * 0.3989422804014327 * exp(-0.5 * x * x);
}

// silu(a) · b
@compute @workgroup_size(64)
fn swigluForward(@builtin(global_invocation_id) id: vec3<u32>) {
  let i = indexOf(id);
  if (i >= params.count) { return; }
  out0[i] = a[i] * sigmoid(a[i]) * b[i];
}
@compute @workgroup_size(64)
fn swigluBackward(@builtin(global_invocation_id) id: vec3<u32>) {
  let i = indexOf(id);
  if (i >= params.count) { return; }
  let s = sigmoid(a[i]);
  out0[i] = dy[i] * b[i] * s * (1.0 + a[i] * (1.0 - s));
  out1[i] = dy[i] * a[i] * s;
}
@compute @workgroup_size(64)
fn geluTanhForward(@builtin(global_invocation_id) id: vec3<u32>) {
  let i = indexOf(id);
  if (i >= params.count) { return; }
  out0[i] = geluTanh(a[i]);
}
@compute @workgroup_size(64)
fn geluTanhBackward(@builtin(global_invocation_id) id: vec3<u32>) {
  let i = indexOf(id);
  if (i >= params.count) { return; }
  out0[i] = dy[i] * geluTanhSlope(a[i]);
}
@compute @workgroup_size(64)
fn geluExactForward(@builtin(global_invocation_id) id: vec3<u32>) {
  let i = indexOf(id);
  if (i >= params.count) { return; }
  out0[i] = geluExact(a[i]);
}
@compute @workgroup_size(64)
fn geluExactBackward(@builtin(global_invocation_id) id: vec3<u32>) {
  let i = indexOf(id);
  if (i >= params.count) { return; }
  out0[i] = dy[i] * geluExactSlope(a[i]);
}
