// dk and dv, one thread a row and key/value head. Needs attention.wgsl.
@compute @workgroup_size(THREADS)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let row = id.x;
  let kv = id.y;
  if (row >= params.rows) { return; }
  var key: array<vec4<f32>, D4>;
  var value: array<vec4<f32>, D4>;
  var sumK: array<vec4<f32>, D4>;
  var sumV: array<vec4<f32>, D4>;
  for (var i = 0u; i < D4; i++) {
    key[i] = k[kAt(row, kv) + i] * params.scale;
    value[i] = v[vAt(row, kv) + i];
    sumK[i] = vec4<f32>();
    sumV[i] = vec4<f32>();
  }
  let queries = queriesOf(row);
  for (var head = kv * GROUP; head < (kv + 1u) * GROUP; head++) {
    for (var t = queries.x; t < queries.y; t++) {
      let at = qAt(t, head);
      let from_ = oAt(t, head);
      let stat = stats[t * HEADS + head];
      var scores = vec4<f32>();
      var values = vec4<f32>();
      for (var i = 0u; i < D4; i++) { scores += key[i] * q[at + i]; values += value[i] * dO[from_ + i]; }
      let p = exp(scores.x + scores.y + scores.z + scores.w - stat.x);
      let ds = p * (values.x + values.y + values.z + values.w - stat.y) * params.scale;
      for (var i = 0u; i < D4; i++) { sumV[i] += p * dO[from_ + i]; sumK[i] += ds * q[at + i]; }
    }
  }
  let outK = (row * KV_HEADS + kv) * D4;
  let outV = (row * params.dvStride + params.dvOffset) / 4u + kv * D4;
  for (var i = 0u; i < D4; i++) { dk[outK + i] = sumK[i]; dv[outV + i] = sumV[i]; }
}
