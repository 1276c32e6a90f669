// P of one chunk and head in workgroup memory: scores[i * PITCH4 + j / 4] holds four values of row i. Called by all 64 threads.
const PITCH4 = CHUNK4 + 1u;
var<workgroup> scores: array<vec4<f32>, CHUNK * PITCH4>;
var<workgroup> row_: array<vec4<f32>, CHUNK>;

fn loadScores(lid: u32, first: u32, length: u32, head: u32) {
  if (lid < CHUNK) { row_[lid] = select(vec4<f32>(), scalars[headAt(first + min(lid, length - 1u), head)], lid < length); }
  workgroupBarrier();
  let i0 = lid / 8u * 4u;
  let j0 = lid % 8u * 4u;
  var products = mat4x4<f32>();
  if (j0 <= i0 && i0 < length) {
    var atI: array<u32, 4>;
    var atJ: array<u32, 4>;
    for (var r = 0u; r < 4u; r++) {
      atI[r] = queryAt(first + min(i0 + r, length - 1u), head);
      atJ[r] = keyAt(first + min(j0 + r, length - 1u), head);
    }
    for (var d = 0u; d < params.keyFours; d++) {
      let own = mat4x4(qkv[atI[0] + d], qkv[atI[1] + d], qkv[atI[2] + d], qkv[atI[3] + d]);
      let other = mat4x4(qkv[atJ[0] + d], qkv[atJ[1] + d], qkv[atJ[2] + d], qkv[atJ[3] + d]);
      products += transpose(other) * own;
    }
  }
  for (var r = 0u; r < 4u; r++) {
    let i = i0 + r;
    let j = vec4(j0) + vec4(0u, 1u, 2u, 3u);
    let decays = vec4(row_[j0].x, row_[j0 + 1u].x, row_[j0 + 2u].x, row_[j0 + 3u].x);
    let keyScales = vec4(row_[j0].w, row_[j0 + 1u].w, row_[j0 + 2u].w, row_[j0 + 3u].w);
    let seen = (j <= vec4(i)) & vec4(i < length);
    // above the diagonal the exponent is positive and could overflow
    scores[i * PITCH4 + j0 / 4u] = select(vec4<f32>(), products[r] * row_[i].z * keyScales * exp(min(vec4(row_[i].x) - decays, vec4<f32>())), seen);
  }
  workgroupBarrier();
}
