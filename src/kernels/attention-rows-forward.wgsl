// Output and log Σ exp of the scores, one thread a row and head. Needs attention.wgsl.
@compute @workgroup_size(THREADS)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let row = id.x;
  let head = id.y;
  if (row >= params.rows) { return; }
  let kv = head / GROUP;
  var query: array<vec4<f32>, D4>;
  var sum: array<vec4<f32>, D4>;
  for (var i = 0u; i < D4; i++) { query[i] = q[qAt(row, head) + i] * params.scale; sum[i] = vec4<f32>(); }
  var highest = -3.0e38;
  var total = 0.0;
  for (var part = FIRST_PART; part < 2u; part++) {
    let keys = keysOf(row, part);
    for (var j = keys.x; j < keys.y; j++) {
      let at = kAt(j, kv);
      var products = vec4<f32>();
      for (var i = 0u; i < D4; i++) { products += query[i] * k[at + i]; }
      let score = products.x + products.y + products.z + products.w;
      let next = max(highest, score);
      let keep = exp(highest - next);
      let p = exp(score - next);
      total = total * keep + p;
      highest = next;
      let from_ = vAt(j, kv);
      for (var i = 0u; i < D4; i++) { sum[i] = sum[i] * keep + p * v[from_ + i]; }
    }
  }
  for (var i = 0u; i < D4; i++) { o[oAt(row, head) + i] = sum[i] / total; }
  stats[row * HEADS + head] = vec2<f32>(highest + log(total), 0.0);
}
