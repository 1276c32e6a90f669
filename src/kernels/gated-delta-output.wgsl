// out = e^γ Q̂ S + P β E per chunk and value head.

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) group: vec3<u32>) {
  let chunk = tables[group.x];
  let head = group.y;
  let first = u32(chunk.x);
  let length = u32(chunk.y);
  loadScores(lid, first, length, head);
  let i0 = lid / 8u * 4u;
  if (i0 >= length) { return; }
  let last = length - 1u;
  let rows = vec4(first) + min(vec4(i0) + vec4(0u, 1u, 2u, 3u), vec4(last));
  let query = vec4(queryAt(rows.x, head), queryAt(rows.y, head), queryAt(rows.z, head), queryAt(rows.w, head));
  let from_ = stateAt(chunk.z, head);
  for (var c = lid % 8u; c < DV4; c += 8u) {
    var sum = mat4x4<f32>();
    if (hasState(chunk.z)) {
      for (var d = 0u; d < params.keyFours; d++) {
        let at = from_ + d * 4u * DV4 + c;
        sum += mat4x4(states[at], states[at + DV4], states[at + 2u * DV4], states[at + 3u * DV4])
          * mat4x4(qkv[query.x + d], qkv[query.y + d], qkv[query.z + d], qkv[query.w + d]);
      }
      for (var r = 0u; r < 4u; r++) { sum[r] *= exp(row_[i0 + r].x) * row_[i0 + r].z; }
    }
    for (var j = 0u; j <= i0; j += 4u) {
      let seen = vec4(first) + min(vec4(j) + vec4(0u, 1u, 2u, 3u), vec4(last));
      let values = mat4x4(
        errors[headAt(seen.x, head) * DV4 + c] * row_[j].y, errors[headAt(seen.y, head) * DV4 + c] * row_[j + 1u].y,
        errors[headAt(seen.z, head) * DV4 + c] * row_[j + 2u].y, errors[headAt(seen.w, head) * DV4 + c] * row_[j + 3u].y);
      let at = i0 * PITCH4 + j / 4u;
      sum += values * mat4x4(scores[at], scores[at + PITCH4], scores[at + 2u * PITCH4], scores[at + 3u * PITCH4]);
    }
    for (var r = 0u; r < 4u; r++) {
      if (i0 + r < length) { output[headAt(rows[r], head) * DV4 + c] = sum[r]; }
    }
  }
}
