// g = −exp(aLog) · softplus(a + dtBias) and beta = sigmoid(b) per row and head.
fn sigmoid(x: f32) -> f32 { return 1.0 / (1.0 + exp(-x)); }
// log(1 + e) rounds 1 + e first; its series keeps the digits of a small e, to 1e-8
fn softplus(x: f32) -> f32 {
  let e = exp(-abs(x));
  let small = e * (1.0 - e * (0.5 - e * (1.0 / 3.0 - e * 0.25)));
  return max(x, 0.0) + select(log(1.0 + e), small, e < 0.01);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x >= params.rows * params.heads) { return; }
  let row = id.x / params.heads;
  let head = id.x % params.heads;
  g[id.x] = -exp(aLog[head]) * softplus(a[row * params.aStride + params.aOffset + head] + dtBias[head]);
  beta[id.x] = sigmoid(b[row * params.bStride + params.bOffset + head]);
}
