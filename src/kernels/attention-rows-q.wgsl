// dq, one thread a row and head; adds Σ dO · O to `stats`, which the key/value pass needs. Needs attention.wgsl.
@compute @workgroup_size(THREADS)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let row = id.x;
  let head = id.y;
  if (row >= params.rows) { return; }
  let kv = head / GROUP;
  var query: array<vec4<f32>, D4>;
  var dOut: array<vec4<f32>, D4>;
  var sum: array<vec4<f32>, D4>;
  var products = vec4<f32>();
  for (var i = 0u; i < D4; i++) {
    query[i] = q[qAt(row, head) + i] * params.scale;
    dOut[i] = dO[oAt(row, head) + i];
    products += dOut[i] * o[oAt(row, head) + i];
    sum[i] = vec4<f32>();
  }
  let own = products.x + products.y + products.z + products.w;
  stats[row * HEADS + head].y = own;
  let offset = stats[row * HEADS + head].x;
  for (var part = FIRST_PART; part < 2u; part++) {
    let keys = keysOf(row, part);
    for (var j = keys.x; j < keys.y; j++) {
      let at = kAt(j, kv);
      let from_ = vAt(j, kv);
      var scores = vec4<f32>();
      var values = vec4<f32>();
      for (var i = 0u; i < D4; i++) { scores += query[i] * k[at + i]; values += dOut[i] * v[from_ + i]; }
      let p = exp(scores.x + scores.y + scores.z + scores.w - offset);
      let ds = p * (values.x + values.y + values.z + values.w - own) * params.scale;
      for (var i = 0u; i < D4; i++) { sum[i] += ds * k[at + i]; }
    }
  }
  for (var i = 0u; i < D4; i++) { dq[oAt(row, head) + i] = sum[i]; }
}
