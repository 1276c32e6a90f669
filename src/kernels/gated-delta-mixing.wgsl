// Per chunk and value head, by forward substitution: X [rows, VALUE_HEADS, CHUNK], and the row scalars [rows, VALUE_HEADS]: γ, β, queryScale, keyScale.
const EPS = 1e-6;
// one column more than needed, so that threads walking down a column use different banks
const PITCH = CHUNK + 1u;
var<workgroup> x: array<f32, CHUNK * PITCH>;
var<workgroup> row_: array<vec4<f32>, CHUNK>;

fn inverseLength(at: u32) -> f32 {
  var sum = 0.0;
  for (var i = 0u; i < params.keyFours; i++) { sum += dot(qkv[at + i], qkv[at + i]); }
  return 1.0 / sqrt(sum + EPS);
}

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) group: vec3<u32>) {
  let chunk = tables[group.x];
  let head = group.y;
  let first = u32(chunk.x);
  let length = u32(chunk.y);
  if (lid < length) {
    var decay = 0.0;
    for (var i = 0u; i <= lid; i++) { decay += g[headAt(first + i, head)]; }
    let row = first + lid;
    row_[lid] = vec4(decay, beta[headAt(row, head)], inverseLength(queryAt(row, head)) / sqrt(f32(DK)), inverseLength(keyAt(row, head)));
    scalars[headAt(row, head)] = row_[lid];
  }
  workgroupBarrier();

  let i0 = lid / 8u * 4u;
  let j0 = lid % 8u * 4u;
  if (j0 <= i0 && i0 < length) {
    var atI: array<u32, 4>;
    var atJ: array<u32, 4>;
    for (var r = 0u; r < 4u; r++) {
      atI[r] = keyAt(first + min(i0 + r, length - 1u), head);
      atJ[r] = keyAt(first + min(j0 + r, length - 1u), head);
    }
    var products = mat4x4<f32>();
    for (var d = 0u; d < params.keyFours; d++) {
      let own = mat4x4(qkv[atI[0] + d], qkv[atI[1] + d], qkv[atI[2] + d], qkv[atI[3] + d]);
      let other = mat4x4(qkv[atJ[0] + d], qkv[atJ[1] + d], qkv[atJ[2] + d], qkv[atJ[3] + d]);
      products += transpose(other) * own;
    }
    for (var r = 0u; r < 4u; r++) {
      for (var c = 0u; c < 4u; c++) {
        let i = i0 + r;
        let j = j0 + c;
        if (j < i && i < length) { x[i * PITCH + j] = products[r][c] * exp(row_[i].x - row_[j].x) * row_[i].w * row_[j].w; }
      }
    }
  }
  workgroupBarrier();

  for (var i = 1u; i < length; i++) {
    var value = 0.0;
    if (lid < i) {
      value = x[i * PITCH + lid];
      for (var l = lid + 1u; l < i; l++) { value -= x[i * PITCH + l] * row_[l].y * x[l * PITCH + lid]; }
    }
    workgroupBarrier();
    if (lid < i) { x[i * PITCH + lid] = value; }
    workgroupBarrier();
  }

  for (var at = lid; at < length * CHUNK; at += 64u) {
    let i = at / CHUNK;
    let j = at % CHUNK;
    mixing[headAt(first + i, head) * CHUNK + j] = select(0.0, x[i * PITCH + j], j < i);
  }
}
