// Per row and key head: sums the value heads' shares, goes back through the l2 normalisation, and writes dv, dg and dβ to their places.
const THREADS = 32u;
const PARTIAL4 = 2u * DK4 + 1u;
var<workgroup> along: array<vec2<f32>, THREADS>;

fn shareOf(row: u32, head: u32, at: u32) -> vec4<f32> {
  var sum = vec4<f32>();
  for (var i = 0u; i < GROUP; i++) { sum += partials[headAt(row, head + i) * PARTIAL4 + at]; }
  return sum;
}

@compute @workgroup_size(THREADS)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) group: vec3<u32>) {
  let row = group.x;
  let head = group.y * GROUP;
  let query = queryAt(row, head);
  let key = keyAt(row, head);
  var own = vec2<f32>();
  for (var d = lid; d < DK4; d += THREADS) {
    own += vec2(dot(qkv[query + d], shareOf(row, head, d)), dot(qkv[key + d], shareOf(row, head, DK4 + d)));
  }
  along[lid] = own;
  workgroupBarrier();
  var total = vec2<f32>();
  for (var i = 0u; i < THREADS; i++) { total += along[i]; }
  let scales = scalars[headAt(row, head)].zw;
  // the query's scale holds 1 / √DK besides the inverse length
  total *= scales * scales * vec2(f32(DK), 1.0);
  for (var d = lid; d < DK4; d += THREADS) {
    dQkv[query + d] = shareOf(row, head, d) - qkv[query + d] * total.x;
    dQkv[key + d] = shareOf(row, head, DK4 + d) - qkv[key + d] * total.y;
  }
  for (var i = 0u; i < GROUP; i++) {
    for (var c = lid; c < DV4; c += THREADS) { dQkv[valueAt(row, head + i) + c] = pairs[pairAt(row, head + i) + DV4 + c] * scalars[headAt(row, head + i)].y; }
  }
  for (var i = lid; i < GROUP; i += THREADS) {
    let gates = partials[headAt(row, head + i) * PARTIAL4 + 2u * DK4];
    dG[headAt(row, head + i)] = gates.x;
    dBeta[headAt(row, head + i)] = gates.y;
  }
}
