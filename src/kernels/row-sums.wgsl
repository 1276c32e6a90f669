// destination[index[i]] = Σ source[order[j]] over starts[i] ≤ j < starts[i + 1], in that order. Indices are distinct, so no two
// threads write the same place, and a sum has the same bits whenever it is taken.
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let i = id.x + id.y * 65535u * 64u;
  if (i >= params.count * params.size) { return; }
  let sum = i / params.size;
  let column = i % params.size;
  var total = 0.0;
  for (var j = u32(starts[sum]); j < u32(starts[sum + 1u]); j++) { total += source[u32(order[j]) * params.size + column]; }
  destination[u32(index[sum]) * params.size + column] = total;
}
