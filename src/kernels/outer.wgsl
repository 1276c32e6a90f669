// result[offset + i · strideI + j · strideJ] += scale · Σ_m P[m,i] · Q[m,j]: gradients of LoRA factors.
// i runs over the rank, j over the long side. With several splits of m, partial sums go to `result` as [split, i, j].
const TILE_I = ROWS * 8u;
const TILE_J = COLUMNS * 4u;
const THREADS = ROWS * COLUMNS;
const DEPTH = 32u;
var<workgroup> pTile: array<vec4<f32>, DEPTH * TILE_I / 4u>;
var<workgroup> qTile: array<vec4<f32>, DEPTH * TILE_J / 4u>;

@compute @workgroup_size(THREADS)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) group: vec3<u32>) {
  let i0 = group.y * TILE_I;
  let j0 = group.x * TILE_J;
  let ti = lid / COLUMNS;
  let tj = lid % COLUMNS;
  let first = group.z * params.rowsPerSplit;
  let last = min(first + params.rowsPerSplit, params.rows);
  var c0 = vec4<f32>(); var c1 = vec4<f32>(); var c2 = vec4<f32>(); var c3 = vec4<f32>();
  var c4 = vec4<f32>(); var c5 = vec4<f32>(); var c6 = vec4<f32>(); var c7 = vec4<f32>();
  for (var m0 = first; m0 < last; m0 += DEPTH) {
    for (var u = lid; u < DEPTH * TILE_I; u += THREADS) {
      let m = m0 + u / TILE_I;
      let i = i0 + u % TILE_I;
      var value = 0.0;
      if (m < last && i < params.countI) { value = p[m * params.pStride + params.pOffset + i]; }
      pTile[u >> 2u][u & 3u] = value;
    }
    for (var u = lid; u < DEPTH * TILE_J; u += THREADS) {
      let m = m0 + u / TILE_J;
      let j = j0 + u % TILE_J;
      var value = 0.0;
      if (m < last && j < params.countJ) { value = q[m * params.qStride + params.qOffset + j]; }
      qTile[u >> 2u][u & 3u] = value;
    }
    workgroupBarrier();
    for (var m = 0u; m < DEPTH; m++) {
      let a = pTile[m * (TILE_I / 4u) + ti * 2u];
      let b = pTile[m * (TILE_I / 4u) + ti * 2u + 1u];
      let row = qTile[m * (TILE_J / 4u) + tj];
      c0 += a.x * row; c1 += a.y * row; c2 += a.z * row; c3 += a.w * row;
      c4 += b.x * row; c5 += b.y * row; c6 += b.z * row; c7 += b.w * row;
    }
    workgroupBarrier();
  }
  let c = array<vec4<f32>, 8>(c0, c1, c2, c3, c4, c5, c6, c7);
  for (var di = 0u; di < 8u; di++) {
    let i = i0 + ti * 8u + di;
    for (var dj = 0u; dj < 4u; dj++) {
      let j = j0 + tj * 4u + dj;
      if (i < params.countI && j < params.countJ) {
        if (params.splits > 1u) {
          result[(group.z * params.countI + i) * params.countJ + j] = c[di][dj];
        } else {
          result[params.offset + i * params.strideI + j * params.strideJ] += params.scale * c[di][dj];
        }
      }
    }
  }
}
