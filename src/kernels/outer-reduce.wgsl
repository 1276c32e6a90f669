// Adds the partial sums of outer.wgsl in a fixed order.
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let count = params.countI * params.countJ;
  let at = id.x + id.y * 65535u * 64u;
  if (at >= count) { return; }
  var sum = 0.0;
  for (var s = 0u; s < params.splits; s++) { sum += partial[s * count + at]; }
  result[params.offset + (at / params.countJ) * params.strideI + (at % params.countJ) * params.strideJ] += params.scale * sum;
}
