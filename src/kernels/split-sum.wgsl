// y = Σ of the pieces of a product, in their order, + bias + what is added.
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let count = params.rows * params.columns;
  let i = id.x + id.y * 65535u * 64u;
  if (i >= count) { return; }
  let row = i / params.columns;
  let column = i % params.columns;
  var sum = 0.0;
  for (var split = 0u; split < params.splits; split++) { sum += partial[split * count + i]; }
  let at = row * params.yStride + params.yOffset + column;
  if (params.hasBias != 0u) { sum += bias[column]; }
  if (params.addSelf != 0u) { sum += y[at]; }
  if (params.addOther != 0u) { sum += addend[at]; }
  y[at] = sum;
}
