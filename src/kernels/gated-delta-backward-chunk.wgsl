// Per chunk and value head, from the states and their gradients at the chunk's ends: queryScale · dq̂ and keyScale · dk̂ of every row, dg and dβ.
// A row i sees row j through e^(γ_i − γ_j), so dγ_i collects what the row gets as i (`sees`) and loses as j (`seen`): both are products of the
// gradients below with the row's own query and key. dg is the sum of dγ from the row to the chunk's end. The diagonal of P has no decay.
// partials, per row and value head: DK4 of the query, DK4 of the key, then (dg, dβ, 0, 0).
const PITCH4 = CHUNK4 + 1u;
const PARTIAL4 = 2u * DK4 + 1u;
// dP and dB times e^(γ_i − γ_j) and the scales of both rows, in fours along a row, strictly below the diagonal
var<workgroup> byQuery: array<vec4<f32>, CHUNK * PITCH4>;
var<workgroup> byKey: array<vec4<f32>, CHUNK * PITCH4>;
// of dP
var<workgroup> diagonal: array<f32, CHUNK>;
var<workgroup> dBeta: array<f32, CHUNK>;
var<workgroup> row_: array<vec4<f32>, CHUNK>;
var<workgroup> dDecay: array<f32, CHUNK * 8u>;
// what hangs on γ of the last row alone: one share per thread
var<workgroup> atEnd: array<f32, 64>;

fn loadGradients(lid: u32, first: u32, length: u32, head: u32) {
  let i0 = lid / 8u * 4u;
  let j0 = lid % 8u * 4u;
  var products = mat4x4<f32>();
  var keyProducts = mat4x4<f32>();
  if (j0 <= i0 && i0 < length) {
    let rows = vec4(first) + min(vec4(i0) + vec4(0u, 1u, 2u, 3u), vec4(length - 1u));
    let others = vec4(first) + min(vec4(j0) + vec4(0u, 1u, 2u, 3u), vec4(length - 1u));
    for (var c = 0u; c < DV4; c++) {
      let errors = transpose(mat4x4(pairs[pairAt(others.x, head) + c], pairs[pairAt(others.y, head) + c], pairs[pairAt(others.z, head) + c], pairs[pairAt(others.w, head) + c]));
      products += errors * mat4x4(
        dOutput[headAt(rows.x, head) * DV4 + c], dOutput[headAt(rows.y, head) * DV4 + c], dOutput[headAt(rows.z, head) * DV4 + c], dOutput[headAt(rows.w, head) * DV4 + c]);
      keyProducts += errors * mat4x4(
        pairs[pairAt(rows.x, head) + DV4 + c], pairs[pairAt(rows.y, head) + DV4 + c], pairs[pairAt(rows.z, head) + DV4 + c], pairs[pairAt(rows.w, head) + DV4 + c]);
    }
  }
  let decays = vec4(row_[j0].x, row_[j0 + 1u].x, row_[j0 + 2u].x, row_[j0 + 3u].x);
  let scales = vec4(row_[j0].y * row_[j0].w, row_[j0 + 1u].y * row_[j0 + 1u].w, row_[j0 + 2u].y * row_[j0 + 2u].w, row_[j0 + 3u].y * row_[j0 + 3u].w);
  for (var r = 0u; r < 4u; r++) {
    let i = i0 + r;
    let seen = (vec4(j0) + vec4(0u, 1u, 2u, 3u) < vec4(i)) & vec4(i < length);
    let factors = scales * exp(min(vec4(row_[i].x) - decays, vec4<f32>()));
    byQuery[i * PITCH4 + j0 / 4u] = select(vec4<f32>(), products[r] * factors * row_[i].z, seen);
    byKey[i * PITCH4 + j0 / 4u] = select(vec4<f32>(), keyProducts[r] * factors * (-row_[i].y * row_[i].w), seen);
    if (i0 == j0) {
      diagonal[i] = select(0.0, products[r][r] * scales[r] * row_[i].z, i < length);
      dBeta[i] = keyProducts[r][r];
    }
  }
}

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) group: vec3<u32>) {
  let chunk = tables[group.x];
  let head = group.y;
  let first = u32(chunk.x);
  let length = u32(chunk.y);
  let last = length - 1u;
  if (lid < CHUNK) { row_[lid] = select(vec4<f32>(), scalars[headAt(first + min(lid, last), head)], lid < length); }
  workgroupBarrier();
  loadGradients(lid, first, length, head);
  workgroupBarrier();

  let i0 = lid / 8u * 4u;
  let hasBefore = hasState(chunk.z);
  let hasAfter = chunk.w >= 0 && (u32(chunk.w) < params.slots || params.dTail != 0u);
  let decay = row_[last].x;
  var dDecays = vec4<f32>();
  var end = 0.0;
  if (i0 < length) {
    let rows = vec4(first) + min(vec4(i0) + vec4(0u, 1u, 2u, 3u), vec4(last));
    for (var d = lid % 8u; d < DK4; d += 8u) {
      var dQuery = mat4x4<f32>();
      var sees = mat4x4<f32>();
      if (hasBefore) {
        let from_ = stateAt(chunk.z, head) + d * 4u * DV4;
        for (var c = 0u; c < DV4; c++) {
          let at = from_ + c;
          let state = transpose(mat4x4(states[at], states[at + DV4], states[at + 2u * DV4], states[at + 3u * DV4]));
          dQuery += state * mat4x4(
            dOutput[headAt(rows.x, head) * DV4 + c], dOutput[headAt(rows.y, head) * DV4 + c], dOutput[headAt(rows.z, head) * DV4 + c], dOutput[headAt(rows.w, head) * DV4 + c]);
          sees += state * mat4x4(
            pairs[pairAt(rows.x, head) + DV4 + c], pairs[pairAt(rows.y, head) + DV4 + c], pairs[pairAt(rows.z, head) + DV4 + c], pairs[pairAt(rows.w, head) + DV4 + c]);
        }
        for (var r = 0u; r < 4u; r++) {
          let row = row_[i0 + r];
          dQuery[r] *= exp(row.x) * row.z;
          sees[r] *= -exp(row.x) * row.w * row.y;
        }
      }
      var seen = mat4x4<f32>();
      if (hasAfter) {
        let from_ = stateAt(chunk.w, head) + d * 4u * DV4;
        for (var c = 0u; c < DV4; c++) {
          let at = from_ + c;
          seen += transpose(mat4x4(dStates[at], dStates[at + DV4], dStates[at + 2u * DV4], dStates[at + 3u * DV4]))
            * mat4x4(pairs[pairAt(rows.x, head) + c], pairs[pairAt(rows.y, head) + c], pairs[pairAt(rows.z, head) + c], pairs[pairAt(rows.w, head) + c]);
        }
      }
      let queries = mat4x4(qkv[queryAt(rows.x, head) + d], qkv[queryAt(rows.y, head) + d], qkv[queryAt(rows.z, head) + d], qkv[queryAt(rows.w, head) + d]);
      let keys = mat4x4(qkv[keyAt(rows.x, head) + d], qkv[keyAt(rows.y, head) + d], qkv[keyAt(rows.z, head) + d], qkv[keyAt(rows.w, head) + d]);
      for (var r = 0u; r < 4u; r++) {
        let row = row_[i0 + r];
        seen[r] *= exp(min(decay - row.x, 0.0)) * row.w * row.y;
        if (i0 + r < length) { end += dot(seen[r], keys[r]); }
      }
      for (var j = 0u; j < length; j += 4u) {
        let others = vec4(first) + min(vec4(j) + vec4(0u, 1u, 2u, 3u), vec4(last));
        let otherKeys = mat4x4(qkv[keyAt(others.x, head) + d], qkv[keyAt(others.y, head) + d], qkv[keyAt(others.z, head) + d], qkv[keyAt(others.w, head) + d]);
        if (j <= i0) {
          let at = i0 * PITCH4 + j / 4u;
          dQuery += otherKeys * mat4x4(byQuery[at], byQuery[at + PITCH4], byQuery[at + 2u * PITCH4], byQuery[at + 3u * PITCH4]);
          sees += otherKeys * mat4x4(byKey[at], byKey[at + PITCH4], byKey[at + 2u * PITCH4], byKey[at + 3u * PITCH4]);
        }
        if (j >= i0) {
          let otherQueries = mat4x4(qkv[queryAt(others.x, head) + d], qkv[queryAt(others.y, head) + d], qkv[queryAt(others.z, head) + d], qkv[queryAt(others.w, head) + d]);
          let at = j * PITCH4 + i0 / 4u;
          seen += otherQueries * transpose(mat4x4(byQuery[at], byQuery[at + PITCH4], byQuery[at + 2u * PITCH4], byQuery[at + 3u * PITCH4]));
          seen += otherKeys * transpose(mat4x4(byKey[at], byKey[at + PITCH4], byKey[at + 2u * PITCH4], byKey[at + 3u * PITCH4]));
        }
      }
      for (var r = 0u; r < 4u; r++) {
        dDecays[r] += dot(queries[r], dQuery[r]) + dot(keys[r], sees[r] - seen[r]);
        if (i0 + r < length) {
          let to = headAt(rows[r], head) * PARTIAL4 + d;
          partials[to] = dQuery[r] + diagonal[i0 + r] * keys[r];
          partials[to + DK4] = sees[r] + seen[r] + diagonal[i0 + r] * queries[r];
        }
      }
    }
  }
  if (hasBefore && hasAfter) {
    var product = 0.0;
    for (var at = lid; at < STATE4; at += 64u) { product += dot(states[stateAt(chunk.z, head) + at], dStates[stateAt(chunk.w, head) + at]); }
    end += product * exp(decay);
  }
  for (var r = 0u; r < 4u; r++) { dDecay[(i0 + r) * 8u + lid % 8u] = dDecays[r]; }
  atEnd[lid] = end;
  workgroupBarrier();
  if (lid < length) {
    var sum = 0.0;
    for (var i = 0u; i < 64u; i++) { sum += atEnd[i]; }
    for (var i = lid * 8u; i < length * 8u; i++) { sum += dDecay[i]; }
    partials[headAt(first + lid, head) * PARTIAL4 + 2u * DK4] = vec4(sum, dBeta[lid], 0.0, 0.0);
  }
}
