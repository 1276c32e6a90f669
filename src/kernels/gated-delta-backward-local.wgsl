// Pairs per chunk and value head: E copied, and the part Pᵀ dOut of dU.

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) group: vec3<u32>) {
  let chunk = tables[group.x];
  let head = group.y;
  let first = u32(chunk.x);
  let length = u32(chunk.y);
  loadScores(lid, first, length, head);
  let j0 = lid / 8u * 4u;
  if (j0 >= length) { return; }
  let last = length - 1u;
  for (var c = lid % 8u; c < DV4; c += 8u) {
    var sum = mat4x4<f32>();
    for (var i = j0; i < length; i += 4u) {
      let rows = vec4(first) + min(vec4(i) + vec4(0u, 1u, 2u, 3u), vec4(last));
      let upstream = mat4x4(
        dOutput[headAt(rows.x, head) * DV4 + c], dOutput[headAt(rows.y, head) * DV4 + c],
        dOutput[headAt(rows.z, head) * DV4 + c], dOutput[headAt(rows.w, head) * DV4 + c]);
      let at = i * PITCH4 + j0 / 4u;
      sum += upstream * transpose(mat4x4(scores[at], scores[at + PITCH4], scores[at + 2u * PITCH4], scores[at + 3u * PITCH4]));
    }
    for (var r = 0u; r < 4u; r++) {
      let row = first + j0 + r;
      if (j0 + r < length) {
        pairs[pairAt(row, head) + c] = errors[headAt(row, head) * DV4 + c];
        pairs[pairAt(row, head) + DV4 + c] = sum[r];
      }
    }
  }
}
