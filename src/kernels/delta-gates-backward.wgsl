fn sigmoid(x: f32) -> f32 { return 1.0 / (1.0 + exp(-x)); }

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x >= params.rows * params.heads) { return; }
  let row = id.x / params.heads;
  let head = id.x % params.heads;
  let slope = sigmoid(a[row * params.aStride + params.aOffset + head] + dtBias[head]);
  da[row * params.daStride + params.daOffset + head] = -exp(aLog[head]) * slope * dG[id.x];
  // 1 − sigmoid(b) loses its digits where beta is near one
  let value = b[row * params.bStride + params.bOffset + head];
  db[row * params.dbStride + params.dbOffset + head] = sigmoid(value) * sigmoid(-value) * dBeta[id.x];
}
