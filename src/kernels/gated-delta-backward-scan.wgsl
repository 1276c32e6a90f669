// Walks the chunks of a sample from its end with a block of QUADS · 4 columns of the state's gradient in workgroup memory: leaves dY, the
// gradients of the states between chunks and, for a stateful batch, that of the state at the start.
const THREADS = 16u * QUADS;
var<workgroup> dState: array<vec4<f32>, DK * QUADS>;
var<workgroup> rowValues: array<vec4<f32>, CHUNK * QUADS>;
var<workgroup> row_: array<vec4<f32>, CHUNK>;

// Four rows of rowValues as columns, and the same rows of a key or query head as columns.
fn valuesAt(row: u32, quad: u32) -> mat4x4<f32> {
  let at = row * QUADS + quad;
  return mat4x4(rowValues[at], rowValues[at + QUADS], rowValues[at + 2u * QUADS], rowValues[at + 3u * QUADS]);
}

@compute @workgroup_size(THREADS)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) group: vec3<u32>) {
  let firstQuad = group.x * QUADS;
  let head = group.y;
  let segment = tables[params.chunks + group.z];
  let quad = lid % QUADS;
  let column = firstQuad + quad;
  let inside = column < DV4;
  let i0 = lid / QUADS * 2u;

  let from_ = stateAt(segment.w, head);
  let given = hasState(segment.w);
  for (var at = lid; at < DK * QUADS; at += THREADS) {
    let c = firstQuad + at % QUADS;
    dState[at] = vec4<f32>();
    if (given && c < DV4) { dState[at] = dStates[from_ + at / QUADS * DV4 + c]; }
  }

  for (var step = segment.y - 1; step >= 0; step--) {
    let chunk = tables[segment.x + step];
    let first = u32(chunk.x);
    let length = u32(chunk.y);
    let last = length - 1u;
    workgroupBarrier();
    for (var i = lid; i < length; i += THREADS) { row_[i] = scalars[headAt(first + i, head)]; }
    if (step < segment.y - 1) {
      let to = stateAt(chunk.w, head);
      for (var at = lid; at < DK * QUADS; at += THREADS) {
        let c = firstQuad + at % QUADS;
        if (c < DV4) { dStates[to + at / QUADS * DV4 + c] = dState[at]; }
      }
    }
    workgroupBarrier();

    let iA = min(i0, last);
    let iB = min(i0 + 1u, last);
    let keyA = keyAt(first + iA, head);
    let keyB = keyAt(first + iB, head);
    let scalarA = row_[iA];
    let scalarB = row_[iB];
    let decay = row_[last].x;
    var dY = mat2x4<f32>();
    for (var d = 0u; d < params.keyFours; d++) {
      let at = d * 4u * QUADS + quad;
      dY += mat4x4(dState[at], dState[at + QUADS], dState[at + 2u * QUADS], dState[at + 3u * QUADS]) * mat2x4(qkv[keyA + d], qkv[keyB + d]);
    }
    dY[0] *= exp(decay - scalarA.x) * scalarA.w;
    dY[1] *= exp(decay - scalarB.x) * scalarB.w;
    if (inside) {
      dY[0] += pairs[pairAt(first + iA, head) + DV4 + column];
      dY[1] += pairs[pairAt(first + iB, head) + DV4 + column];
    }
    rowValues[i0 * QUADS + quad] = select(vec4<f32>(), dY[0] * scalarA.y, i0 < length);
    rowValues[(i0 + 1u) * QUADS + quad] = select(vec4<f32>(), dY[1] * scalarB.y, i0 + 1u < length);
    workgroupBarrier();

    for (var i = i0 + 1u; i < length; i++) {
      let share = mixing[(headAt(first + i, head) * CHUNK + i0) / 2u];
      let value = rowValues[i * QUADS + quad];
      dY[0] -= value * share.x;
      dY[1] -= value * share.y;
    }
    workgroupBarrier();
    if (inside && i0 < length) { pairs[pairAt(first + i0, head) + DV4 + column] = dY[0]; }
    if (inside && i0 + 1u < length) { pairs[pairAt(first + i0 + 1u, head) + DV4 + column] = dY[1]; }
    rowValues[i0 * QUADS + quad] = select(vec4<f32>(), dY[0] * (scalarA.y * scalarA.w * exp(scalarA.x)), i0 < length);
    rowValues[(i0 + 1u) * QUADS + quad] = select(vec4<f32>(), dY[1] * (scalarB.y * scalarB.w * exp(scalarB.x)), i0 + 1u < length);
    workgroupBarrier();

    for (var item = lid; item < DK4 * QUADS; item += THREADS) {
      let d = item / QUADS;
      var sum = mat4x4<f32>();
      for (var i = 0u; i < length; i += 4u) {
        let rows = vec4(first) + min(vec4(i) + vec4(0u, 1u, 2u, 3u), vec4(last));
        let keys = mat4x4(qkv[keyAt(rows.x, head) + d], qkv[keyAt(rows.y, head) + d], qkv[keyAt(rows.z, head) + d], qkv[keyAt(rows.w, head) + d]);
        sum -= valuesAt(i, quad) * transpose(keys);
      }
      for (var k = 0u; k < 4u; k++) {
        let at = (d * 4u + k) * QUADS + quad;
        dState[at] = dState[at] * exp(decay) + sum[k];
      }
    }
    workgroupBarrier();

    rowValues[i0 * QUADS + quad] = vec4<f32>();
    rowValues[(i0 + 1u) * QUADS + quad] = vec4<f32>();
    if (inside && i0 < length) { rowValues[i0 * QUADS + quad] = dOutput[headAt(first + i0, head) * DV4 + column] * (scalarA.z * exp(scalarA.x)); }
    if (inside && i0 + 1u < length) { rowValues[(i0 + 1u) * QUADS + quad] = dOutput[headAt(first + i0 + 1u, head) * DV4 + column] * (scalarB.z * exp(scalarB.x)); }
    workgroupBarrier();
    for (var item = lid; item < DK4 * QUADS; item += THREADS) {
      let d = item / QUADS;
      var sum = mat4x4<f32>();
      for (var i = 0u; i < length; i += 4u) {
        let rows = vec4(first) + min(vec4(i) + vec4(0u, 1u, 2u, 3u), vec4(last));
        let queries = mat4x4(qkv[queryAt(rows.x, head) + d], qkv[queryAt(rows.y, head) + d], qkv[queryAt(rows.z, head) + d], qkv[queryAt(rows.w, head) + d]);
        sum += valuesAt(i, quad) * transpose(queries);
      }
      for (var k = 0u; k < 4u; k++) { dState[(d * 4u + k) * QUADS + quad] += sum[k]; }
    }
  }

  if (params.stateful != 0u && segment.z >= 0) {
    workgroupBarrier();
    let to = stateAt(segment.z, head);
    for (var at = lid; at < DK * QUADS; at += THREADS) {
      let c = firstQuad + at % QUADS;
      if (c < DV4) { dInitial[to + at / QUADS * DV4 + c] = dState[at]; }
    }
  }
}
