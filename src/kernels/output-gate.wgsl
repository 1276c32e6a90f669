// y = attention · sigmoid(gate), one thread a value; attention is [rows, heads · D].
fn sigmoid(x: f32) -> f32 { return 1.0 / (1.0 + exp(-x)); }
fn indexOf(id: vec3<u32>) -> u32 { return id.x + id.y * 65535u * 64u; }
fn gateAt(i: u32) -> u32 {
  let head = i / D;
  return (head / params.heads) * params.stride + params.offset + (head % params.heads) * params.headStride + i % D;
}
