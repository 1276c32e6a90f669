// result[offset + i · strideI + j · strideJ] += scale · Σ_m P[m,i] · Q[m,j], read four values at a time: gradients of LoRA factors.
// A workgroup takes 16 values of i and 64 of j; its four slices of threads take every fourth m, and their sums are added in order.
// With several splits of m, partial sums go to `result` as [split, i, j].
const SLICES = 4u;
const QUADS_I = 4u;
const QUADS_J = 16u;
const SLICE_THREADS = QUADS_I * QUADS_J;
const THREADS = SLICES * SLICE_THREADS;
const DEPTH = 32u;
var<workgroup> pTile: array<vec4<f32>, DEPTH * QUADS_I>;
var<workgroup> qTile: array<vec4<f32>, DEPTH * QUADS_J>;

@compute @workgroup_size(THREADS)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) group: vec3<u32>) {
  let i0 = group.y * QUADS_I * 4u;
  let j0 = group.x * QUADS_J * 4u;
  let slice = lid / SLICE_THREADS;
  let place = lid % SLICE_THREADS;
  let ti = place / QUADS_J;
  let tj = place % QUADS_J;
  let first = group.z * params.rowsPerSplit;
  let last = min(first + params.rowsPerSplit, params.rows);
  var c0 = vec4<f32>(); var c1 = vec4<f32>(); var c2 = vec4<f32>(); var c3 = vec4<f32>();
  for (var m0 = first; m0 < last; m0 += DEPTH) {
    if (lid < DEPTH * QUADS_I) {
      let m = m0 + lid / QUADS_I;
      let i = i0 + lid % QUADS_I * 4u;
      var value = vec4<f32>();
      if (m < last && i < params.countI) { value = p[(m * params.pStride + params.pOffset + i) >> 2u]; }
      pTile[lid] = value;
    }
    for (var u = lid; u < DEPTH * QUADS_J; u += THREADS) {
      let m = m0 + u / QUADS_J;
      let j = j0 + u % QUADS_J * 4u;
      var value = vec4<f32>();
      if (m < last && j < params.countJ) { value = q[(m * params.qStride + params.qOffset + j) >> 2u]; }
      qTile[u] = value;
    }
    workgroupBarrier();
    for (var n = 0u; n < DEPTH / SLICES; n++) {
      let m = n * SLICES + slice;
      let a = pTile[m * QUADS_I + ti];
      let row = qTile[m * QUADS_J + tj];
      c0 = fma(vec4<f32>(a.x), row, c0); c1 = fma(vec4<f32>(a.y), row, c1); c2 = fma(vec4<f32>(a.z), row, c2); c3 = fma(vec4<f32>(a.w), row, c3);
    }
    workgroupBarrier();
  }
  for (var s = 1u; s < SLICES; s++) {
    if (slice == s) {
      qTile[place * 4u] = c0; qTile[place * 4u + 1u] = c1; qTile[place * 4u + 2u] = c2; qTile[place * 4u + 3u] = c3;
    }
    workgroupBarrier();
    if (slice == 0u) {
      c0 += qTile[place * 4u]; c1 += qTile[place * 4u + 1u]; c2 += qTile[place * 4u + 2u]; c3 += qTile[place * 4u + 3u];
    }
    workgroupBarrier();
  }
  if (slice != 0u) { return; }
  let j = j0 + tj * 4u;
  let c = array<vec4<f32>, 4>(c0, c1, c2, c3);
  for (var di = 0u; di < 4u; di++) {
    let i = i0 + ti * 4u + di;
    if (i >= params.countI || j >= params.countJ) { continue; }
    for (var dj = 0u; dj < 4u; dj++) {
      if (params.splits > 1u) {
        result[(group.z * params.countI + i) * params.countJ + j + dj] = c[di][dj];
      } else {
        result[params.offset + i * params.strideI + (j + dj) * params.strideJ] += params.scale * c[di][dj];
      }
    }
  }
}
