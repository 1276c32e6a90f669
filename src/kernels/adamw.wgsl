// AdamW over one flat buffer, after clipping by the global norm.
var<workgroup> sums: array<f32, 64>;

fn total(lid: u32, value: f32) -> f32 {
  sums[lid] = value;
  workgroupBarrier();
  var sum = 0.0;
  for (var i = 0u; i < 64u; i++) { sum += sums[i]; }
  return sum;
}

// partial[group] = Σ gradient² of the group's share
@compute @workgroup_size(64)
fn squares(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) group: vec3<u32>) {
  var sum = 0.0;
  for (var i = group.x * 64u + lid; i < params.count; i += params.groups * 64u) { sum += gradients[i] * gradients[i]; }
  let all = total(lid, sum);
  if (lid == 0u) { partial[group.x] = all; }
}

// norm[0] = ‖gradient‖
@compute @workgroup_size(64)
fn finishNorm(@builtin(local_invocation_index) lid: u32) {
  var sum = 0.0;
  for (var i = lid; i < params.groups; i += 64u) { sum += partial[i]; }
  let all = total(lid, sum);
  if (lid == 0u) { norm[0] = sqrt(all); }
}

@compute @workgroup_size(64)
fn update(@builtin(global_invocation_id) id: vec3<u32>) {
  let i = id.x + id.y * 65535u * 64u;
  if (i >= params.count) { return; }
  var clip = 1.0;
  // as torch.nn.utils.clip_grad_norm_
  if (params.maxNorm > 0.0) { clip = min(1.0, params.maxNorm / (norm[0] + 1e-6)); }
  let g = gradients[i] * clip;
  let mean = params.beta1 * m[i] + params.newShare1 * g;
  let square = params.beta2 * v[i] + params.newShare2 * g * g;
  m[i] = mean;
  v[i] = square;
  let decayed = weights[i] * params.decay;
  weights[i] = decayed - params.learningRate * (mean / params.correction1) / (sqrt(square / params.correction2) + params.epsilon);
  gradients[i] = 0.0;
}
