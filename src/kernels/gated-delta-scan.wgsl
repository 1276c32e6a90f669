// Walks the chunks of a sample with a block of QUADS · 4 columns of the state in workgroup memory: leaves the errors, the states between chunks
// and, for a stateful batch, the states at the samples' ends.
const THREADS = 16u * QUADS;
var<workgroup> state: array<vec4<f32>, DK * QUADS>;
var<workgroup> rowValues: array<vec4<f32>, CHUNK * QUADS>;
var<workgroup> row_: array<vec4<f32>, CHUNK>;

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
    state[at] = vec4<f32>();
    if (given && c < DV4) { state[at] = states[from_ + at / QUADS * DV4 + c]; }
  }

  for (var step = 0; step < segment.y; step++) {
    let chunk = tables[segment.x + step];
    let first = u32(chunk.x);
    let length = u32(chunk.y);
    workgroupBarrier();
    for (var i = lid; i < length; i += THREADS) { row_[i] = scalars[headAt(first + i, head)]; }
    if (step > 0) {
      let to = stateAt(chunk.z, head);
      for (var at = lid; at < DK * QUADS; at += THREADS) {
        let c = firstQuad + at % QUADS;
        if (c < DV4) { states[to + at / QUADS * DV4 + c] = state[at]; }
      }
    }
    workgroupBarrier();

    let rowA = first + min(i0, length - 1u);
    let rowB = first + min(i0 + 1u, length - 1u);
    let keyA = keyAt(rowA, head);
    let keyB = keyAt(rowB, head);
    var read = mat2x4<f32>();
    for (var d = 0u; d < params.keyFours; d++) {
      let at = d * 4u * QUADS + quad;
      read += mat4x4(state[at], state[at + QUADS], state[at + 2u * QUADS], state[at + 3u * QUADS]) * mat2x4(qkv[keyA + d], qkv[keyB + d]);
    }
    var error = mat2x4<f32>();
    let scalarA = row_[rowA - first];
    let scalarB = row_[rowB - first];
    if (inside) {
      error[0] = qkv[valueAt(rowA, head) + column] - read[0] * exp(scalarA.x) * scalarA.w;
      error[1] = qkv[valueAt(rowB, head) + column] - read[1] * exp(scalarB.x) * scalarB.w;
    }
    rowValues[i0 * QUADS + quad] = select(vec4<f32>(), error[0] * scalarA.y, i0 < length);
    rowValues[(i0 + 1u) * QUADS + quad] = select(vec4<f32>(), error[1] * scalarB.y, i0 + 1u < length);
    workgroupBarrier();

    // row i0 + 1 reaches back to i0; beyond its own row X is zero
    for (var j = 0u; j <= i0 / 4u; j++) {
      let at = j * 4u * QUADS + quad;
      error -= mat4x4(rowValues[at], rowValues[at + QUADS], rowValues[at + 2u * QUADS], rowValues[at + 3u * QUADS])
        * mat2x4(mixing[headAt(rowA, head) * CHUNK4 + j], mixing[headAt(rowB, head) * CHUNK4 + j]);
    }
    workgroupBarrier();
    if (inside && i0 < length) { errors[headAt(rowA, head) * DV4 + column] = error[0]; }
    if (inside && i0 + 1u < length) { errors[headAt(rowB, head) * DV4 + column] = error[1]; }
    let decay = row_[length - 1u].x;
    rowValues[i0 * QUADS + quad] = select(vec4<f32>(), error[0] * (scalarA.y * scalarA.w * exp(decay - scalarA.x)), i0 < length);
    rowValues[(i0 + 1u) * QUADS + quad] = select(vec4<f32>(), error[1] * (scalarB.y * scalarB.w * exp(decay - scalarB.x)), i0 + 1u < length);
    workgroupBarrier();

    for (var item = lid; item < DK4 * QUADS; item += THREADS) {
      let d = item / QUADS;
      var sum = mat4x4<f32>();
      for (var i = 0u; i < length; i += 4u) {
        let at = i * QUADS + quad;
        let last = length - 1u;
        let keys = mat4x4(
          qkv[keyAt(first + i, head) + d], qkv[keyAt(first + min(i + 1u, last), head) + d],
          qkv[keyAt(first + min(i + 2u, last), head) + d], qkv[keyAt(first + min(i + 3u, last), head) + d]);
        sum += mat4x4(rowValues[at], rowValues[at + QUADS], rowValues[at + 2u * QUADS], rowValues[at + 3u * QUADS]) * transpose(keys);
      }
      for (var k = 0u; k < 4u; k++) {
        let at = (d * 4u + k) * QUADS + quad;
        state[at] = state[at] * exp(decay) + sum[k];
      }
    }
  }

  if (params.stateful != 0u && segment.z >= 0) {
    workgroupBarrier();
    let to = stateAt(segment.z, head);
    for (var at = lid; at < DK * QUADS; at += THREADS) {
      let c = firstQuad + at % QUADS;
      if (c < DV4) { finals[to + at / QUADS * DV4 + c] = state[at]; }
    }
  }
}
