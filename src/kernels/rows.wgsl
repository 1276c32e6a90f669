// Moving rows of SIZE floats by an index list. Indices are distinct, so no two threads write the same place.
struct Params { count: u32, size: u32 }
@group(0) @binding(0) var<storage, read> source: array<f32>;
@group(0) @binding(1) var<storage, read> index: array<i32>;
@group(0) @binding(2) var<storage, read_write> target_: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;
fn at(id: vec3<u32>) -> u32 { return id.x + id.y * 65535u * 64u; }

// target[i] = source[index[i]]
@compute @workgroup_size(64)
fn gather(@builtin(global_invocation_id) id: vec3<u32>) {
  let i = at(id);
  if (i >= params.count * params.size) { return; }
  target_[i] = source[u32(index[i / params.size]) * params.size + i % params.size];
}
// target[index[i]] = source[i]
@compute @workgroup_size(64)
fn scatter(@builtin(global_invocation_id) id: vec3<u32>) {
  let i = at(id);
  if (i >= params.count * params.size) { return; }
  target_[u32(index[i / params.size]) * params.size + i % params.size] = source[i];
}
// target[index[i]] += source[i]
@compute @workgroup_size(64)
fn scatterAdd(@builtin(global_invocation_id) id: vec3<u32>) {
  let i = at(id);
  if (i >= params.count * params.size) { return; }
  target_[u32(index[i / params.size]) * params.size + i % params.size] += source[i];
}
