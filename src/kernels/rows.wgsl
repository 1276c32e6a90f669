// Moving rows of `size` floats by an index list. Indices are distinct, so no two threads write the same place.
fn at(id: vec3<u32>) -> u32 { return id.x + id.y * 65535u * 64u; }

// destination[i] = source[index[i]]
@compute @workgroup_size(64)
fn gather(@builtin(global_invocation_id) id: vec3<u32>) {
  let i = at(id);
  if (i >= params.count * params.size) { return; }
  destination[i] = source[u32(index[i / params.size]) * params.size + i % params.size];
}
// destination[index[i]] = source[i]
@compute @workgroup_size(64)
fn scatter(@builtin(global_invocation_id) id: vec3<u32>) {
  let i = at(id);
  if (i >= params.count * params.size) { return; }
  destination[u32(index[i / params.size]) * params.size + i % params.size] = source[i];
}
// destination[index[i]] += source[i]
@compute @workgroup_size(64)
fn scatterAdd(@builtin(global_invocation_id) id: vec3<u32>) {
  let i = at(id);
  if (i >= params.count * params.size) { return; }
  destination[u32(index[i / params.size]) * params.size + i % params.size] += source[i];
}
