// Activations and their slopes.
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
const QUICK = 1.702;
fn geluQuick(x: f32) -> f32 { return x * sigmoid(QUICK * x); }
fn geluQuickSlope(x: f32) -> f32 {
  let s = sigmoid(QUICK * x);
  return s * (1.0 + QUICK * x * (1.0 - s));
}
